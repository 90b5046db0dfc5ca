"""The example of a device of one's own, run as a user would, on a small budget."""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from nnmeter_nni._nni import installed_major

if installed_major() != 2:
    pytest.skip("the example is for NNI 2.10", allow_module_level=True)
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("onnxruntime")

from tests.nnmeter_nni.runner import launch

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "own_device" / "own_device.py"


@pytest.mark.slow
def test_it_measures_learns_searches_and_checks(tmp_path: Path) -> None:
    if not any(point.name == "nni" for point in entry_points(group="predictor_core.spaces")):
        pytest.skip("the installed package is older than its entry point for spaces; install it again")
    output = tmp_path / "out"
    outcome = launch(
        [
            *(sys.executable, str(SCRIPT), "--output", str(output), "--budget", "6", "--seconds", "0.05"),
            # Once each: on a machine that is busy with other tests, repeats may contradict each other.
            *("--repeats", "1", "--trials", "2", "--epochs", "1", "--samples", "64"),
        ],
        tmp_path,
    )
    assert outcome.status == 0, outcome.output
    assert not outcome.left
    results = json.loads((output / "results.json").read_text())
    assert len(results["models"]) == 2
    for row in results["models"]:
        assert row["predicted_ms"] < results["threshold_ms"]
        assert row["measured_ms"] > 0.0
        assert len(row["sample"]) == 20
    assert (output / "predicted.png").read_bytes().startswith(b"\x89PNG")
    assert len((output / "measurements.csv").read_text().splitlines()) == 1 + 6
    assert "learned from 6 models" in outcome.output
    assert "within ±10 % of the prediction" in outcome.output
