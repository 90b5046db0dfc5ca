"""Every view of the reports of `reports` is what its golden file says.

After a change that is meant, ``pytest tests/golden --update-golden`` rewrites the files: look at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable

import numpy as np
import pytest

from predictor_core.views import formats, html, trace
from predictor_core.views.comparison import compare, comparison_text
from predictor_core.views.gate import Verdict, annotation, check, junit
from predictor_core.views.overlay import overlay_json
from predictor_core.views.text import report_text
from tests.golden.reports import phone, stick, wider

FOLDER = Path(__file__).parent / "views"


def verdicts() -> list[Verdict]:
    return [
        check(phone(), max_ms=20.0),
        check(wider(), max_ms=5.0),
        check(phone(), baseline=[phone()]),
        Verdict("broken.onnx", "", ("no such file or folder",)),
    ]


def drawn(axes: Any) -> str:
    """Write what a plot shows as text: labels, scales, legend, and the numbers of each artist."""
    legend = axes.get_legend()
    lines = [
        axes.get_title(),
        f"{axes.get_xlabel()} ({axes.get_xscale()}), {axes.get_ylabel()} ({axes.get_yscale()})",
        "legend: " + "; ".join(text.get_text() for text in legend.get_texts()) if legend else "no legend",
    ]
    lines += [f"points: {_numbers(points.get_offsets())}" for points in axes.collections]
    lines += [f"line: {_numbers(line.get_xydata()[[0, -1]])}" for line in axes.lines]
    lines += [f"bars: {_numbers([bar.get_height() for bar in group])}" for group in _bars(axes)]
    return "\n".join(lines)


def _bars(axes: Any) -> list[Any]:
    return [group for group in axes.containers if hasattr(group, "patches")]


def _numbers(values: Any) -> str:
    return " ".join(f"{value:.4g}" for value in np.asarray(values, dtype=float).ravel())


def plotted() -> str:
    """Draw every plot once."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from predictor_core.views import plots

    reports = [phone(), stick(), wider()]
    ms = [report.latency_ms for report in reports]
    intervals_ms = [report.interval_ms or (report.latency_ms,) * 2 for report in reports]
    shown = {
        "roofline": plots.roofline(phone(), Figure().subplots()),
        "cumulative": plots.cumulative(reports[:2], Figure().subplots()),
        "space": plots.space(ms, 11.0, Figure().subplots(), bins=4),
        "pareto": plots.pareto(ms, [70.0, 75.0, 72.0], intervals_ms, Figure().subplots()),
    }
    return "\n\n".join(f"{name}\n{drawn(axes)}" for name, axes in shown.items())


VIEWS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "report.txt": lambda: report_text(phone()),
        "module.txt": lambda: formats.table([phone()]),
        "module_depth_1.txt": lambda: formats.table([phone()], depth=1),
        "module_two_devices.txt": lambda: formats.table([phone(), stick()], width=80),
        "module_narrow.txt": lambda: formats.table([phone(), stick()], width=50),
        "module_colour.txt": lambda: formats.table([phone()], colour=True),
        "type.txt": lambda: formats.table([phone()], by="type"),
        "kernel_two_devices.txt": lambda: formats.table([phone(), stick()], by="kernel"),
        "kernel.md": lambda: formats.table([phone()], by="kernel", format="markdown"),
        "module_two_models.md": lambda: formats.table([phone(), wider()], format="markdown"),
        "module.csv": lambda: formats.table([phone(), stick()], format="csv"),
        "type.json": lambda: formats.table([phone()], by="type", format="json"),
        "report.html": lambda: html.page([phone(), stick(), wider()]),
        "notebook.html": lambda: html.fragment([phone()]),
        "trace.json": lambda: trace.trace_json([phone(), stick()]),
        "overlay.json": lambda: overlay_json(phone()),
        "comparison.txt": lambda: comparison_text(compare(phone(), wider())),
        "comparison_devices.txt": lambda: comparison_text(compare(phone(), stick(), depth=None)),
        "plots.txt": plotted,
        "verdicts.txt": lambda: "\n".join(map(str, verdicts())),
        "verdicts.xml": lambda: junit(verdicts()),
        "annotations.txt": lambda: "\n".join(annotation(one, "models/toy, new.onnx") for one in verdicts()),
    }
)


@pytest.mark.parametrize("name", VIEWS)
def test_view(name: str, update_golden: bool) -> None:
    text = VIEWS[name]().rstrip("\n") + "\n"
    path = FOLDER / name
    if update_golden:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(VIEWS)
