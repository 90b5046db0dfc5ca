"""Many models in one process and in several."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core import load_latency_predictor, predict_many, zoo
from predictor_core.errors import PredictorError
from predictor_core.predictor import LatencyPredictor

FAMILIES = ("resnet18", "mobilenetv2", "squeezenet", "mnasnet")


@pytest.fixture
def predictor() -> LatencyPredictor:
    return load_latency_predictor("cortexA76cpu_tflite21")


@pytest.mark.parametrize("sized", [True, False])
def test_workers_give_the_same_numbers(
    predictor: LatencyPredictor, monkeypatch: pytest.MonkeyPatch, sized: bool
) -> None:
    graphs = [zoo.build(name) for name in FAMILIES]
    alone = predictor.predict_many(graphs)
    monkeypatch.setattr("predictor_core.predictor.batch.WORKERS_WORTH_S", 0.0)
    together = predictor.predict_many(graphs if sized else iter(graphs), n_jobs=2)
    np.testing.assert_array_equal(together, alone)


def test_models_with_shapes_of_their_own_in_workers(
    predictor: LatencyPredictor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    paths = []
    for size in (32, 48, 64, 80):
        graph = helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])],
            "relu",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, size, size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, size, size])],
        )
        paths.append(tmp_path / f"{size}.onnx")
        onnx.save(helper.make_model(graph), paths[-1])
    alone = predict_many([predictor], paths, "onnx")
    monkeypatch.setattr("predictor_core.predictor.batch.WORKERS_WORTH_S", 0.0)
    np.testing.assert_array_equal(predict_many([predictor], paths, "onnx", n_jobs=2), alone)
    assert len(set(alone[0])) == len(paths)


def test_little_work_starts_no_workers(predictor: LatencyPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = [zoo.build("squeezenet")] * 20
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert len(predictor.predict_many(graphs, n_jobs=2)) == len(graphs)


@pytest.mark.parametrize("models", ["model.onnx", Path("model.onnx"), {}, zoo.build("squeezenet"), None])
def test_one_model_is_no_batch(predictor: LatencyPredictor, models: Any) -> None:
    with pytest.raises(PredictorError, match=r"expected several.*predict takes a single model"):
        predictor.predict_many(models)


def test_a_container_of_modules_is_one_model(predictor: LatencyPredictor) -> None:
    nn = pytest.importorskip("torch.nn")
    with pytest.raises(PredictorError, match="got one Sequential"):
        predictor.predict_many(nn.Sequential(nn.ReLU(), nn.ReLU()), "torch")


@pytest.mark.parametrize("n_jobs", [0, "2", 1.5])
def test_what_is_no_number_of_processes(predictor: LatencyPredictor, n_jobs: Any) -> None:
    with pytest.raises(PredictorError, match="expected a number of processes"):
        predictor.predict_many([zoo.build("squeezenet")], n_jobs=n_jobs)
