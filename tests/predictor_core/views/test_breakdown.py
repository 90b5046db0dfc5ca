from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from predictor_core.errors import PredictorError
from predictor_core.predictor.report import LatencyReport
from predictor_core.views.breakdown import NO_MODULE, OVERHEAD, column_names, parts
from tests.golden.reports import kernel, phone, stick, wider

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("depth", [1, 2, None])
@pytest.mark.parametrize("by", ["module", "type", "kernel"])
def test_the_rows_of_no_depth_sum_to_each_latency(by: str, depth: int | None) -> None:
    reports = [phone(), stick(), wider()]
    rows = [part for part in parts(reports, by, depth) if part.depth == 0]  # type: ignore[arg-type]
    for column, report in enumerate(reports):
        assert sum(part.ms[column] or 0.0 for part in rows) == pytest.approx(report.latency_ms)
        assert sum(part.kernels[column] for part in rows) == len(report.kernels)


def test_a_row_holds_the_sum_of_those_below_it() -> None:
    rows = {part.path: part for part in parts([phone()], "module")}
    assert rows[("body",)].ms == (5.5,)
    assert rows[("body",)].ms[0] == rows[("body", "0")].ms[0] + rows[("body", "1")].ms[0]  # type: ignore[operator]
    assert not rows[("body",)].leaf
    assert rows[("body", "1")].leaf


def test_what_a_latency_rests_on() -> None:
    (body,) = [part for part in parts([phone()], "module", 1) if part.name == "body"]
    assert body.latency[0] == (0.0, 4.0, 0.5, 1.0)


def test_scopes_in_names_stand_for_modules() -> None:
    rows = {part.path: part.ms for part in parts([phone()], "module")}
    assert rows[("head", "logits")] == (0.25,)
    assert rows[(NO_MODULE,)] == (0.125,)
    assert rows[(OVERHEAD,)] == (1.125,)


def test_kernels_of_two_devices_stand_in_the_order_of_execution() -> None:
    names = [part.name for part in parts([phone(), stick()], "kernel")]
    assert names[:3] == ["conv1", "relu1", "att"]
    assert len(names) == len(set(names)) == 8


def test_deep_modules_do_not_exhaust_the_stack() -> None:
    deep = LatencyReport("deep", "p", "2.0", [kernel("k", "relu", 1.0, ".".join(["m"] * 3000))])
    assert len(parts([deep], "module")) == 3000


def test_names_of_columns_tell_reports_apart() -> None:
    assert column_names([phone(), stick()]) == ["adreno640gpu_tflite21", "myriadvpu_openvino2019r2"]
    assert column_names([phone(), wider()]) == ["toy.onnx", "wider.onnx"]
    assert column_names([phone(), stick(), wider()])[2] == "wider.onnx on adreno640gpu_tflite21"


def test_what_is_refused_is_said() -> None:
    with pytest.raises(PredictorError, match="by 'layer'; expected module, type or kernel"):
        parts([phone()], "layer")  # type: ignore[arg-type]
    with pytest.raises(PredictorError, match="depth of at least 1, got 0"):
        parts([phone()], "module", 0)


def test_views_compute_no_latencies() -> None:
    """Every view of the golden files is made where nothing that reads, cuts or predicts can be imported."""
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    made, loaded = done.stdout.split("\n", 1)
    assert int(made) > 15
    assert loaded.strip() == "[]"


_BLOCKED = """
import sys
import pytest
from tests.golden.reports import phone, stick, wider

blocked = tuple("predictor_core." + part for part in (
    "catalog", "forest", "frontends", "fusion", "kernels", "learning", "legacy", "predictor.base",
    "predictor.batch", "predictor.evaluate", "predictor.latency", "predictor.profile", "zoo"))
for name in [one for one in sys.modules if one.startswith(blocked)]:
    del sys.modules[name]


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(blocked):
            raise AssertionError(f"a view imports {name}")


sys.meta_path.insert(0, Refuse())
from tests.golden.test_views import VIEWS

made = 0
for make in VIEWS.values():
    try:
        make()
        made += 1
    except pytest.skip.Exception:
        pass
print(made)
print([name for name in sys.modules if name.startswith(blocked)])
"""
