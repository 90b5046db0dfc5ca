"""TensorFlow Lite's ``benchmark_model`` (and LiteRT's), old wording and new, and LiteRT's Python benchmark.

Formats: tensorflow/lite/tools/benchmark/README.md and the summaries of
tensorflow/core/util/stats_calculator.cc. Times of runs are in µs, those of profiles in ms.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator

from predictor_core.measuring.logs.base import (
    LogFormat,
    LoggedModel,
    OpTime,
    cut_at,
    of_profile,
    search,
    search_count,
)
from predictor_core.measuring.rows import environment, threads_text

_NUMBER = r"([\d.]+(?:[eE][+-]?\d+)?)"
#: The last one of a run is that of the timed runs; the one before it, of the warm-up.
_COUNT = re.compile(r"^.*\bcount=\d+ .*\bavg=.*$", re.MULTILINE)
_AVERAGE = re.compile(rf"timings in us:.*\bInference(?: \(avg\))?: ?{_NUMBER}")


def _matches(text: str) -> bool:
    return bool(
        _AVERAGE.search(text) or (_COUNT.search(text) and ("Graph: [" in text or "STARTING!" in text))
    )


def _read(text: str) -> list[LoggedModel]:
    # Each run starts with its parameters.
    start = "STARTING!" if "STARTING!" in text else r"Graph: \["
    return [found for part in cut_at(start, text) if (found := _read_run(part)) is not None]


def _read_run(text: str) -> LoggedModel | None:
    # Profiles repeat the line of counts for their own overhead.
    timed = re.split(r"Operator-wise Profiling Info|Profiling Info for Benchmark|={20,}", text)[0]
    lines = _COUNT.findall(timed)
    summary = _AVERAGE.search(text)
    values = dict(re.findall(rf"\b(count|avg|std|median)={_NUMBER}", lines[-1])) if lines else {}
    us = values.get("median") or (summary[1] if summary else values.get("avg"))
    if us is None:
        return None
    return LoggedModel(
        search(r"Graph: ?\[([^\]]+)\]", text) or "",
        float(us) / 1e3,
        float(values["std"]) / 1e3 if "std" in values else None,
        int(values["count"]) if "count" in values else None,
        _environment(text),
        tuple(_table_ops(text)),
    )


def _environment(text: str) -> str:
    threads = search_count(r"(?:#threads used for CPU inference|[Nn]um threads): ?\[(\d+)\]", text)
    delegate = None
    for name in ("gpu", "nnapi", "hexagon", "coreml"):
        if search(rf"[Uu]se {name} ?: ?\[(1|true)\]", text):
            delegate = {"gpu": "GPU delegate", "nnapi": "NNAPI"}.get(name, f"{name} delegate")
    return environment("TFLite", delegate, threads_text(threads))


def _table_ops(text: str) -> Iterator[OpTime]:
    """Rows of the table ``Run Order`` of the timed runs."""
    regular = text.partition("Profiling Info for Regular Benchmark Runs")[2] or text
    table = regular.partition(" Run Order ")[2].partition("\n====")[0]
    header: list[str] = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().split("\t")]
        if "[node type]" in cells or "[Node type]" in cells:
            header = [cell.strip("[]").lower() for cell in cells]
        elif header and len(cells) == len(header):
            row = dict(zip(header, cells))
            yield OpTime(_op_name(row["name"]), row["node type"], float(row["avg ms"]))


def _op_name(text: str) -> str:
    """Names of the op's outputs, without the brackets around them and its number behind them."""
    return re.sub(r"^\[(.*)\](?::\d+)?$", r"\1", text)


def _matches_csv(text: str) -> bool:
    return re.search(r"^\s*node type,.*\bavg[ _]ms\b", text, re.MULTILINE) is not None


def _read_csv(text: str) -> list[LoggedModel]:
    """Profile written with ``--profiling_output_csv_file``: the sum of its ops is the latency."""
    return of_profile(_csv_ops(csv.reader(io.StringIO(text), skipinitialspace=True)), "TFLite")


def _csv_ops(rows: Iterable[list[str]]) -> Iterator[OpTime]:
    """Ops in the order in which they ran; sections about preparation and summaries are left out."""
    header: list[str] = []
    preparing = False
    for row in rows:
        text = ",".join(row)
        if "Profiling Info for" in text:
            preparing = "Initialization" in text
            header = []
        elif row and row[0].strip().lower() == "node type":
            names = [cell.strip().lower().replace("_", " ") for cell in row]
            # The run order comes first; tables after it repeat it in another order.
            header = [] if header or "name" not in names else names
        elif header and len(row) == len(header) and not preparing:
            cells = dict(zip(header, (cell.strip() for cell in row)))
            yield OpTime(_op_name(cells["name"]), cells["node type"], float(cells["avg ms"]))
        elif header and not preparing and not text.strip(" ,"):
            # An empty line ends the table; what follows are summaries of the same runs.
            return


def _matches_json(text: str) -> bool:
    return text.lstrip().startswith("{") and '"accelerators"' in text and '"median_ms"' in text


def _read_json(text: str) -> list[LoggedModel]:
    document = json.loads(text)
    latency = document["latency"]
    where = environment(
        "LiteRT",
        " ".join(map(str, document.get("accelerators", ()))),
        threads_text(document.get("num_threads")),
    )
    return [
        LoggedModel(
            str(document["model"]),
            float(latency["median_ms"]),
            float(latency["std_ms"]),
            int(latency["num_runs"]),
            where,
        )
    ]


FORMATS = (
    LogFormat("TFLite benchmark_model", _matches, _read),
    LogFormat("TFLite benchmark_model, CSV profile", _matches_csv, _read_csv),
    LogFormat("LiteRT benchmark_litert_model, JSON", _matches_json, _read_json),
)
