"""Profiles of ONNX Runtime (``SessionOptions.enable_profiling``, ``onnxruntime_perf_test -p``): JSON, µs."""

from __future__ import annotations

import json
import statistics
from typing import Any

from predictor_core.measuring.logs.base import LogFormat, LoggedModel, OpTime

_SUFFIX = "_kernel_time"


def _matches(text: str) -> bool:
    return text.lstrip().startswith("[") and '"model_run"' in text and '"cat"' in text


def _read(text: str) -> list[LoggedModel]:
    """Median of the runs; the first of several is a warm-up."""
    events = [event for event in _events(text) if isinstance(event, dict)]
    runs = [float(e["dur"]) for e in events if e.get("cat") == "Session" and e.get("name") == "model_run"]
    if not runs:
        return []
    timed = runs[1:] or runs
    return [
        LoggedModel(
            "",
            statistics.median(timed) / 1e3,
            statistics.pstdev(timed) / 1e3 if len(timed) > 1 else None,
            len(timed),
            "onnxruntime",
            tuple(_ops(events)),
        )
    ]


def _events(text: str) -> list[Any]:
    try:
        events: Any = json.loads(text)
    except json.JSONDecodeError:
        # A session that was not closed leaves the list open.
        events = json.loads(text.rstrip().rstrip(",") + "]")
    return events if isinstance(events, list) else []


def _ops(events: list[dict[str, Any]]) -> list[OpTime]:
    """Median over the runs of each node, in the order in which they ran."""
    times: dict[tuple[str, str], list[float]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith(_SUFFIX):
            kind = str(event.get("args", {}).get("op_name", ""))
            times.setdefault((name[: -len(_SUFFIX)], kind), []).append(float(event["dur"]))
    return [
        OpTime(name, kind, statistics.median(durations[1:] or durations) / 1e3)
        for (name, kind), durations in times.items()
    ]


FORMATS = (LogFormat("onnxruntime, profile", _matches, _read),)
