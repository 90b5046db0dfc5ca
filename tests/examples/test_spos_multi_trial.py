"""The SPOS demo, run as a user would."""

from __future__ import annotations

import json
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnmeter_nni._nni import installed_major

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from tests.nnmeter_nni.runner import launch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "spos_multi_trial" / "multi_trial.py"

needs_nni2 = pytest.mark.skipif(installed_major() != 2, reason="the demo is for NNI 2.10")


@pytest.mark.skipif(installed_major() == 2, reason="NNI 2.10 is here")
def test_without_nni_2_it_says_what_to_install_and_leaves_nothing(tmp_path: Path) -> None:
    outcome = launch([sys.executable, str(SCRIPT), "--output", str(tmp_path / "out")], tmp_path)
    assert outcome.status == 1
    assert "this demo needs NNI 2.10 (nni.retiarii)" in outcome.output
    assert "pip install '.[retiarii,plot]' scikit-learn" in outcome.output
    assert "Traceback" not in outcome.output
    assert not list(tmp_path.iterdir())


@needs_nni2
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--predictor", "nosuchdevice"], "nosuchdevice"),
        (["--threshold", "-1"], "threshold of cortexA76cpu_tflite21 must be a positive number of ms"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, arguments: list[str], message: str) -> None:
    outcome = launch([sys.executable, str(SCRIPT), "--output", str(tmp_path / "out"), *arguments], tmp_path)
    assert outcome.status == 1
    assert message in outcome.output.splitlines()[-1]
    assert "Traceback" not in outcome.output
    assert not list(tmp_path.iterdir())


@needs_nni2
def test_the_picture_shows_threshold_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import multi_trial
    from matplotlib import pyplot

    rows = [{"accuracy": 0.9 - 0.1 * i, "latency_ms": {"a": 5.0, "mine": 3.0 - i}} for i in range(3)]
    shown: dict[str, Any] = {}

    def look(figure: Any) -> None:
        (axes,) = figure.axes
        shown["names"] = sorted(text.get_text() for text in axes.texts)
        shown["label"] = axes.get_xlabel()
        shown["points"] = axes.collections[0].get_offsets()[:, 0].tolist()
        shown["legend"] = [text.get_text() for text in axes.get_legend().get_texts()]

    monkeypatch.setattr(pyplot, "close", look)
    multi_trial.picture(tmp_path / "pareto.png", rows, [0], "mine", 2.5)
    assert shown["names"] == ["0", "1", "2"]
    assert shown["label"] == "predicted latency on mine (ms)"
    assert shown["points"] == [3.0, 2.0, 1.0]
    assert "threshold, 2.5 ms" in shown["legend"]


@needs_nni2
@pytest.mark.slow
def test_it_searches_trains_and_reports(tmp_path: Path) -> None:
    outcome = launch(
        [
            *(sys.executable, str(SCRIPT), "--output", str(tmp_path / "out")),
            *("--predictor", "myriadvpu_openvino2019r2", "--also", "cortexA76cpu_tflite21"),
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
        assert list(row["latency_ms"]) == ["myriadvpu_openvino2019r2", "cortexA76cpu_tflite21"]
        assert 0 < row["latency_ms"]["myriadvpu_openvino2019r2"] < results["threshold_ms"]
    top = json.loads((tmp_path / "out" / "top_models.json").read_text())
    assert top == [row["sample"] for row in results["candidates"]]
    assert (tmp_path / "out" / "pareto.png").read_bytes().startswith(b"\x89PNG")
    assert "candidate  accuracy" in outcome.output
    # The default threshold rejects something.
    assert int(re.findall(r"(\d+) rejected", outcome.output)[-1]) > 0


@needs_nni2
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
    assert not (tmp_path / "out").exists()


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
