"""The latencies of several models or devices as one table: the end of ``nn-meter predict``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from predictor_core.views.grid import grid

if TYPE_CHECKING:
    from predictor_core.predictor.report import LatencyReport

#: Characters that a column of latencies takes at least, with its gap.
_COLUMN = 12


def overview(reports: Sequence[LatencyReport], width: int | None = None) -> str:
    """Lay out the latencies of models on devices.

    Parameters
    ----------
    reports : sequence of LatencyReport
        Of one or several models on one or several devices.
    width : int, optional
        Characters of a line.

    Returns
    -------
    str
        For one model a row a device, with interval and coverage. For several models a row a model and a
        column a device, or the other way round, whichever has fewer columns; where neither fits the width, a
        row for each pair.
    """
    models = list(dict.fromkeys(report.model for report in reports))
    devices = list(dict.fromkeys(report.predictor for report in reports))
    if len(models) == 1:
        return _of_one_model(reports, width)
    latency_ms = {(report.model, report.predictor): f"{report.latency_ms:.4g}" for report in reports}
    by_device = len(devices) > len(models)
    rows, columns = (devices, models) if by_device else (models, devices)
    if width is not None and (len(columns) + 2) * _COLUMN > width:
        pairs = [[report.model, report.predictor, f"{report.latency_ms:.4g}"] for report in reports]
        return grid([["model", "predictor", "ms"], *pairs], right=(2,), width=width)
    if by_device:
        latency_ms = {(device, model): text for (model, device), text in latency_ms.items()}
    table = [[row, *(latency_ms.get((row, column), "") for column in columns)] for row in rows]
    return grid([["ms", *columns], *table], width=width)


def _of_one_model(reports: Sequence[LatencyReport], width: int | None) -> str:
    rows = [["predictor", "ms", "90 % interval", "coverage"]]
    for report in reports:
        low_high = report.interval_ms
        interval = f"{low_high[0]:.4g} to {low_high[1]:.4g}" if low_high else ""
        rows.append([report.predictor, f"{report.latency_ms:.4g}", interval, f"{report.coverage:.1%}"])
    return grid(rows, right=(1, 3), width=width)
