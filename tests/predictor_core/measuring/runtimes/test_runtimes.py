"""Every adapter with its real runtime, where that is installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from predictor_core import measure_latency
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph
from predictor_core.measuring.runtimes import RUNTIMES

MODULES = {
    "onnxruntime": "onnxruntime",
    "litert": "ai_edge_litert",
    "openvino": "openvino",
    "torch": "torch",
}
BUDGET_S = 0.05


def small_module() -> Any:
    from torch import nn

    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.ReLU())


@pytest.mark.parametrize("runtime", ["onnxruntime", "litert", "openvino"])
def test_a_graph_is_timed(small_graph: Graph, runtime: str) -> None:
    pytest.importorskip(MODULES[runtime])
    measured = measure_latency(small_graph, runtime=runtime, budget_s=BUDGET_S)
    assert 0.001 < measured.latency_ms < 1000.0
    assert measured.std_ms >= 0.0
    assert measured.runs >= 3
    assert measured.environment["runtime"] == runtime
    assert measured.environment["threads"] == 1
    assert measured.environment["precision"] == "fp32"
    assert measured.environment["version"][0].isdigit()
    assert measured.environment["cpu"]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_file_is_timed(small_model: Path, runtime: str) -> None:
    pytest.importorskip(MODULES[runtime])
    assert measure_latency(small_model, runtime=runtime, budget_s=BUDGET_S).runs >= 3


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
def test_a_module_is_timed_and_not_changed(runtime: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip(MODULES[runtime])
    module = small_module()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    threads, random = torch.get_num_threads(), torch.random.get_rng_state()
    measured = measure_latency(module, runtime=runtime, input_shape=(1, 3, 16, 16), budget_s=BUDGET_S)
    assert measured.environment["precision"] == "fp32"
    assert [part.training for part in module.modules()] == [True, True, False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), random)


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_a_module_takes_shapes_in_order(runtime: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip(MODULES[runtime])
    shape = [1, 3, 16, 16]
    assert measure_latency(small_module(), runtime=runtime, input_shape=[shape], budget_s=BUDGET_S).runs >= 3
    with pytest.raises(PredictorError, match=r"input_shape names x; .* give a list of them"):
        measure_latency(small_module(), runtime=runtime, input_shape={"x": shape}, budget_s=BUDGET_S)


def test_affinity_is_given_back(small_model: Path) -> None:
    pytest.importorskip("onnxruntime")
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no processor affinity")
    before = os.sched_getaffinity(0)
    assert measure_latency(small_model, budget_s=BUDGET_S).environment["pinned"]
    assert os.sched_getaffinity(0) == before


def test_more_threads_than_cores_run_unbound(small_model: Path) -> None:
    pytest.importorskip("onnxruntime")
    threads = (os.cpu_count() or 1) + 1
    measured = measure_latency(small_model, threads=threads, budget_s=BUDGET_S)
    assert measured.environment["threads"] == threads
    assert not measured.environment["pinned"]


def test_open_dimensions_are_asked_for(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    shape = ["batch", 3, "height", "width"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "open",
        [onnx.helper.make_tensor_value_info("x", 1, shape)],
        [onnx.helper.make_tensor_value_info("y", 1, shape)],
    )
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    with pytest.raises(PredictorError, match=r"input 'x' has the open shape .*; give input_shape"):
        measure_latency(model)
    assert measure_latency(model, input_shape=(1, 3, 8, 8), budget_s=BUDGET_S).runs >= 3


def test_a_quantised_model_is_called_int8(tmp_path: Path, small_model: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    scale = helper.make_tensor("scale", onnx.TensorProto.FLOAT, [], [0.1])
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "scale"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale"], ["y"]),
        ],
        "quantised",
        [helper.make_tensor_value_info("x", 1, [1, 8])],
        [helper.make_tensor_value_info("y", 1, [1, 8])],
        [scale],
    )
    opset = helper.make_opsetid("", 13)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    assert measure_latency(model, budget_s=BUDGET_S).environment["precision"] == "int8"


def test_what_can_not_be_timed_is_one_error(tmp_path: Path, small_graph: Graph) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(PredictorError, match="unknown runtime 'tensorrt'; expected one of litert, "):
        measure_latency(small_graph, runtime="tensorrt")
    with pytest.raises(PredictorError, match="threads must be a positive whole number, got 0"):
        measure_latency(small_graph, threads=0)
    with pytest.raises(PredictorError, match="budget_s must be positive"):
        measure_latency(small_graph, budget_s=float("nan"))
    with pytest.raises(PredictorError, match=r"absent.onnx: no such file"):
        measure_latency(tmp_path / "absent.onnx")
    with pytest.raises(PredictorError, match="got 'tflite'; runtimes that take tflite: litert, openvino"):
        measure_latency(tmp_path / "x.tflite")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(PredictorError, match="onnxruntime can't run the model"):
        measure_latency(broken)
    with pytest.raises(PredictorError, match="the ending does not tell the model type"):
        measure_latency(tmp_path / "model.bin")
    with pytest.raises(PredictorError, match="can't tell the model type of a dict"):
        measure_latency({})


def test_every_runtime_has_an_extra() -> None:
    text = (Path(__file__).resolve().parents[4] / "pyproject.toml").read_text()
    for name in RUNTIMES:
        assert f"\n{name} = [" in text
