"""A report as a time line for ``chrome://tracing`` and https://ui.perfetto.dev."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from predictor_core.views.breakdown import OVERHEAD, column_names, support_of

if TYPE_CHECKING:
    from predictor_core.predictor.report import LatencyReport

_US_PER_MS = 1000.0


def trace(reports: Sequence[LatencyReport]) -> dict[str, Any]:
    """Return the kernels on a time line, one track a report.

    Kernels follow each other in the order of execution, the overhead stands first: a prediction is a sum and
    knows no overlap of kernels.

    Parameters
    ----------
    reports : sequence of LatencyReport

    Returns
    -------
    dict
        JSON object of the Trace Event Format (Google, "Trace Event Format", complete events ``ph: "X"``);
        times are in microseconds.
    """
    events: list[dict[str, Any]] = []
    for track, (report, name) in enumerate(zip(reports, column_names(reports)), 1):
        events.append(_named("process_name", track, name or "model"))
        events.append({**_named("process_sort_index", track, ""), "args": {"sort_index": track}})
        events.append(_named("thread_name", track, "kernels"))
        events += _events(report, track)
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def trace_json(reports: Sequence[LatencyReport]) -> str:
    """Return `trace` as JSON text."""
    return json.dumps(trace(reports), separators=(",", ":")) + "\n"


def _named(kind: str, track: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": track, "tid": 1, "args": {"name": name}}


def _events(report: LatencyReport, track: int) -> Iterator[dict[str, Any]]:
    now_us = 0.0
    if report.overhead_ms > 0.0:
        now_us = report.overhead_ms * _US_PER_MS
        yield _event(track, OVERHEAD, "overhead", 0.0, now_us, {})
    for kernel in report.kernels:
        arguments = {
            "type": kernel.type,
            "module": ".".join(kernel.module),
            "inputs": [list(shape) for shape in kernel.input_shapes],
            "output": list(kernel.output_shape),
            "details": kernel.details,
            "support": support_of(kernel),
        }
        duration_us = kernel.latency_ms * _US_PER_MS
        yield _event(track, kernel.name, kernel.type, now_us, duration_us, arguments)
        now_us += duration_us


def _event(
    track: int, name: str, category: str, start_us: float, duration_us: float, arguments: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "pid": track,
        "tid": 1,
        "ts": start_us,
        "dur": duration_us,
        "args": arguments,
    }
