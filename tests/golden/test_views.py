"""Every view of the reports of `reports` is what its golden file says.

After a change that is meant, ``pytest tests/golden --update-golden`` rewrites the files: look at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Callable

import pytest

from predictor_core.views import formats, html, trace
from predictor_core.views.comparison import compare, comparison_text
from predictor_core.views.gate import Verdict, annotation, check, junit
from predictor_core.views.overlay import overlay_json
from predictor_core.views.table import report_text
from tests.golden.reports import phone, stick, wider

FOLDER = Path(__file__).parent / "views"


def verdicts() -> list[Verdict]:
    return [
        check(phone(), max_ms=20.0),
        check(wider(), max_ms=5.0),
        check(phone(), baseline=[phone()]),
        Verdict("broken.onnx", "", ("no such file or folder",)),
    ]


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
