"""TensorRT's ``trtexec``: what it prints (7 and later), ``--exportProfile`` and ``--exportTimes``.

The latency is that of the computation; copies between host and device are not counted, as no other tool does.
"""

from __future__ import annotations

import json
import re
import statistics
from typing import Any

from predictor_core.measuring.logs.base import (
    LogFormat,
    LoggedModel,
    OpTime,
    cut_at,
    of_profile,
    search,
    search_count,
)
from predictor_core.measuring.rows import environment


def _matches(text: str) -> bool:
    return "trtexec" in text and re.search(r"GPU Compute", text) is not None


def _read(text: str) -> list[LoggedModel]:
    return [found for part in cut_at("&&&& RUNNING", text) if (found := _read_run(part)) is not None]


def _read_run(text: str) -> LoggedModel | None:
    # One line since version 8; before, a heading and a line for each number.
    block = search(r"GPU Compute(?: Time)?:?(.*?)(?:Total|H2D|D2H|\Z|===|&&&&)", text, re.DOTALL)
    ms = (
        None
        if block is None
        else (search(r"median ?[=:] ?([\d.]+) ms", block) or search(r"mean ?[=:] ?([\d.]+) ms", block))
    )
    if ms is None:
        return None
    runs = search_count(r"Timing trace has (\d+) queries", text)
    model = search(r"\] Model: (\S.*)", text) or search(r"--onnx=(\S+)", text) or ""
    version = search(r"TensorRT version: ([\d.]+)", text) or search(r"\[TensorRT v(\d+)\]", text)
    device = search(r"(?:Selected Device|Device): (?!\d)(\S.*)", text)
    precision = search(r"\] Precision: (\S+)", text)
    where = environment(f"TensorRT {version}" if version else "TensorRT", device, (precision or "").lower())
    return LoggedModel(model, float(ms), runs=runs, environment=where)


def _matches_profile(text: str) -> bool:
    return text.lstrip().startswith("[") and '"averageMs"' in text


def _read_profile(text: str) -> list[LoggedModel]:
    entries = _list(text)
    ops = (
        OpTime(str(entry.get("name", "")), "", float(entry.get("medianMs", entry["averageMs"])))
        for entry in entries
        if "averageMs" in entry
    )
    runs = next((int(entry["count"]) for entry in entries if "count" in entry), None)
    return of_profile(ops, "TensorRT", runs)


def _matches_times(text: str) -> bool:
    return text.lstrip().startswith("[") and '"computeMs"' in text


def _read_times(text: str) -> list[LoggedModel]:
    times = [float(entry["computeMs"]) for entry in _list(text) if "computeMs" in entry]
    if not times:
        return []
    return [LoggedModel("", statistics.median(times), statistics.pstdev(times), len(times), "TensorRT")]


def _list(text: str) -> list[dict[str, Any]]:
    entries = json.loads(text)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


FORMATS = (
    LogFormat("trtexec", _matches, _read),
    LogFormat("trtexec, exported profile", _matches_profile, _read_profile),
    LogFormat("trtexec, exported times", _matches_times, _read_times),
)
