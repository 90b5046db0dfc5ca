"""OpenVINO's ``benchmark_app``: what it prints, and the CSV files that it writes.

Formats: those of openvino.tools.benchmark (and of the C++ tool, which writes the same).
"""

from __future__ import annotations

import csv
import io
import re

from predictor_core.measuring.logs.base import (
    LogFormat,
    LoggedModel,
    OpTime,
    of_profile,
    search,
    search_count,
)
from predictor_core.measuring.rows import environment, threads_text


def _matches(text: str) -> bool:
    return "[Step 1" in text and re.search(r"\[ INFO \]\s+(?:Median|AVG|Average|Latency)", text) is not None


def _read(text: str) -> list[LoggedModel]:
    starts = [found.start() for found in re.finditer(r"\[Step 1/\d+\]", text)]
    parts = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)])]
    # The command that started a run stands before its first step.
    heads = [text[a:b] for a, b in zip([0, *starts], starts)]
    return [found for head, part in zip(heads, parts) if (found := _read_run(head, part)) is not None]


def _read_run(head: str, text: str) -> LoggedModel | None:
    median = search(r"Median:\s+([\d.]+) ms", text)
    ms = median or search(r"(?:Average|AVG):\s+([\d.]+) ms", text) or search(r"Latency:\s+([\d.]+) ms", text)
    if ms is None:
        return None
    # The name inside the model is that of the exporter's choice and no help.
    model = search(r"Loading (?:network|model) files:?\s*\n\[ INFO \]\s+(\S+\.\w+)\s*$", text, re.M) or ""
    commands = re.findall(r"benchmark_app.* -m[ =](\S+)", head)
    ops = [
        OpTime(name, kind, float(real))
        for name, kind, real in re.findall(
            r"^(\S+)\s+(?:Status\.)?EXECUTED\s+layerType: (\S+)\s.*realTime \((?:ms)\): ([\d.]+)", text, re.M
        )
    ]
    return LoggedModel(
        commands[-1] if commands else model,
        float(ms),
        runs=search_count(r"Count:\s+(\d+) iterations", text),
        environment=_environment(text),
        ops=tuple(ops),
    )


def _environment(text: str) -> str:
    build = search(r"Build \.+ (\d+\.\d+(?:\.\d+)?)", text)
    device = search(r"EXECUTION_DEVICES: \[?'?([\w.]+)", text) or search(
        r"Execution Devices: ?\[?'?([\w.]+)", text
    )
    precision = search(r"INFERENCE_PRECISION_HINT: (?:<Type: ')?(\w+)", text)
    names = {"float32": "fp32", "f32": "fp32", "float16": "fp16", "f16": "fp16", "bfloat16": "bf16"}
    return environment(
        f"OpenVINO {build}" if build else "OpenVINO",
        device,
        threads_text(search_count(r"INFERENCE_NUM_THREADS: (\d+)", text)),
        names.get(precision or "", precision),
    )


def _matches_counters(text: str) -> bool:
    return text.lstrip("\ufeff").startswith("layerName;execStatus;layerType")


def _read_counters(text: str) -> list[LoggedModel]:
    """Counters of ``-report_type average_counters``: the sum of the layers is the latency."""
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff")), delimiter=";"))
    ops = (
        OpTime(row["layerName"], row["layerType"], float(row["realTime (ms)"]))
        for row in rows
        if str(row.get("execStatus", "")).endswith(".EXECUTED") or row.get("execStatus") == "EXECUTED"
    )
    return of_profile(ops, "OpenVINO")


def _matches_report(text: str) -> bool:
    return text.startswith("Command line parameters") and "Execution results" in text


def _read_report(text: str) -> list[LoggedModel]:
    """Statistics report of ``-report_type``."""
    values = dict(line.split(";")[:2] for line in text.splitlines() if line.count(";") >= 1)
    ms = values.get("latency (ms)") or values.get("avg latency") or values.get("AVG latency (ms)")
    if ms is None:
        return []
    runs = values.get("total number of iterations")
    threads = values.get("-nthreads")
    where = environment("OpenVINO", values.get("target device"), threads_text(threads))
    return [LoggedModel(values.get("-m", ""), float(ms), runs=int(runs) if runs else None, environment=where)]


FORMATS = (
    LogFormat("OpenVINO benchmark_app", _matches, _read),
    LogFormat("OpenVINO benchmark_app, counters", _matches_counters, _read_counters),
    LogFormat("OpenVINO benchmark_app, report", _matches_report, _read_report),
)
