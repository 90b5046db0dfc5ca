"""The SPOS demo, run as a user would."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from nnmeter_nni._nni import installed_major

if installed_major() != 2:
    pytest.skip("the demo is for NNI 2.10", allow_module_level=True)
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from tests.nnmeter_nni.runner import launch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "spos_multi_trial" / "multi_trial.py"


@pytest.mark.slow
def test_it_searches_trains_and_reports(tmp_path: Path) -> None:
    outcome = launch(
        [
            *(sys.executable, str(SCRIPT), "--output", str(tmp_path / "out"), "--threshold", "1000"),
            *("--trials", "2", "--epochs", "1", "--samples", "128", "--strategy", "sorted"),
        ],
        tmp_path,
    )
    assert outcome.status == 0, outcome.output
    assert not outcome.left
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["input_shape"] == [1, 3, 32, 32]
    assert len(results["candidates"]) == 2
    for row in results["candidates"]:
        assert len(row["sample"]) == 20
        assert set(row["sample"].values()) <= {"k3", "k5", "k7", "xception"}
        assert 0.0 <= row["accuracy"] <= 1.0
        assert len(row["latency_ms"]) == 4
        assert all(ms > 0 for ms in row["latency_ms"].values())
    top = json.loads((tmp_path / "out" / "top_models.json").read_text())
    assert top == [row["sample"] for row in results["candidates"]]
    assert (tmp_path / "out" / "pareto.png").read_bytes().startswith(b"\x89PNG")
    assert "candidate  accuracy" in outcome.output


def test_a_missing_cifar_is_told_before_anything_starts(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(SCRIPT),
        "--data",
        "cifar10",
        str(tmp_path),
        "--output",
        str(tmp_path / "out"),
    ]
    outcome = launch(command, tmp_path)
    assert outcome.status == 1
    assert f"CIFAR-10 is not in {tmp_path}" in outcome.output
    assert "Creating experiment" not in outcome.output


def test_a_local_cifar_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import data

    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in data.CIFAR_FILES:
        images = rng.integers(0, 256, (4, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({b"data": images, b"labels": [1, 2, 3, 4]}))
    (train_x, train_y), (test_x, test_y) = data.load("cifar10", str(tmp_path))
    assert (tuple(train_x.shape), tuple(test_x.shape)) == ((20, 3, 32, 32), (4, 3, 32, 32))
    assert (train_y[:4].tolist(), test_y.tolist()) == ([1, 2, 3, 4], [1, 2, 3, 4])
    assert float(train_x.min()) >= -1.0
    assert float(train_x.max()) <= 1.0


def test_a_batch_that_holds_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import data

    for name in data.CIFAR_FILES:
        (tmp_path / name).write_bytes(pickle.dumps(Path.cwd))
    with pytest.raises(pickle.UnpicklingError, match="does not hold"):
        data.load("cifar10", str(tmp_path))
