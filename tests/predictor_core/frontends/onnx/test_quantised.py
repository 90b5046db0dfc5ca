"""What onnxruntime's quantiser makes of a model costs what the model costs, by precision of the predictor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core import load_latency_predictor

onnx = pytest.importorskip("onnx")
quantization = pytest.importorskip("onnxruntime.quantization")

FP32, INT8 = "pixel4_cpu1large_fp32_tflite210", "pixel4_cpu1large_int8_tflite210"
AS_FLOAT = "the model is quantised; its ops are costed as ops on floats"
SHAPE = (1, 3, 32, 32)
NODES: tuple[tuple[str, list[str], str, dict[str, Any]], ...] = (
    ("Conv", ["x", "w1", "b1"], "c1", {"pads": [1] * 4, "strides": [2, 2]}),
    ("Relu", ["c1"], "r1", {}),
    ("Conv", ["r1", "w2", "b2"], "c2", {"pads": [1] * 4, "group": 16}),
    ("Relu", ["c2"], "r2", {}),
    ("Conv", ["r2", "w3", "b3"], "c3", {}),
    ("Sigmoid", ["c3"], "s3", {}),
    ("Mul", ["c3", "s3"], "m3", {}),
    ("Add", ["m3", "c3"], "a3", {}),
    ("MaxPool", ["a3"], "p", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Concat", ["p", "p"], "cc", {"axis": 2}),
    ("GlobalAveragePool", ["cc"], "g", {}),
    ("Flatten", ["g"], "f", {}),
    ("Gemm", ["f", "w4", "b4"], "y0", {"transB": 1}),
    ("MatMul", ["y0", "w5"], "y1", {}),
    ("Softmax", ["y1"], "y", {}),
)
WEIGHTS = {
    **{"w1": (16, 3, 3, 3), "b1": (16,), "w2": (16, 1, 3, 3), "b2": (16,), "w3": (24, 16, 1, 1), "b3": (24,)},
    **{"w4": (10, 24), "b4": (10,), "w5": (10, 6)},
}
#: Op -> the quantised op that stands for it. A ReLU is the lower bound of the numbers before it.
QUANTISED = {
    **{"Conv": "QLinearConv", "Sigmoid": "QLinearSigmoid", "Mul": "QLinearMul", "Add": "QLinearAdd"},
    **{"Concat": "QLinearConcat", "GlobalAveragePool": "QLinearGlobalAveragePool", "Gemm": "QGemm"},
    **{"MatMul": "QLinearMatMul", "Softmax": "QLinearSoftmax", "MaxPool": "MaxPool", "Flatten": "Flatten"},
}


class Samples(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
    """Two images."""

    def __init__(self, random: np.random.Generator) -> None:
        self._left: Iterator[Any] = iter([{"x": random.random(SHAPE, dtype=np.float32)} for _ in range(2)])

    def get_next(self) -> Any:
        return next(self._left, None)


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Path]]:
    """Return the files of the float model and of a quantised form of it."""
    folder, random = tmp_path_factory.mktemp("models"), np.random.default_rng(0)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, reads, [written], **attrs) for op, reads, written, attrs in NODES],
        "small",
        [onnx.helper.make_tensor_value_info("x", 1, SHAPE)],
        [onnx.helper.make_tensor_value_info("y", 1, (1, 6))],
        [
            onnx.numpy_helper.from_array(random.standard_normal(shape).astype(np.float32) / 8, name)
            for name, shape in WEIGHTS.items()
        ],
    )
    source = folder / "float.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]), source)

    def make(form: str, **options: Any) -> tuple[Path, Path]:
        target = folder / "int8.onnx"
        options["quant_format"] = getattr(quantization.QuantFormat, form)
        quantization.quantize_static(source, target, Samples(random), **options)
        return source, target

    return make


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("QOperator", {}),
        ("QOperator", {"per_channel": True}),
        ("QOperator", {"activation_type": quantization.QuantType.QUInt8}),
        ("QDQ", {}),
    ],
)
def test_a_quantised_model_costs_what_its_float_original_costs(
    quantised: Callable[..., tuple[Path, Path]], form: str, options: dict[str, Any]
) -> None:
    source, target = quantised(form, **options)
    if form == "QOperator":
        written = Counter(node.op_type for node in onnx.load(target).graph.node)
        expected = Counter(QUANTISED[op] for op, *_ in NODES if op != "Relu")
        # Old quantisers leave the numbers of more than one tensor as floats.
        assert min(written.pop(op) for op in ("QuantizeLinear", "DequantizeLinear")) >= 1
        assert written == expected
    for name in ("cortexA76cpu_tflite21", FP32, INT8):
        predictor = load_latency_predictor(name)
        of_float, of_int8 = predictor.profile(source), predictor.profile(target)
        kernels, wanted = (
            Counter(kernel.type.removesuffix("-relu") for kernel in profile.kernels)
            for profile in (of_int8, of_float)
        )
        assert kernels == wanted
        assert of_int8.latency_ms == pytest.approx(of_float.latency_ms, rel=0.01)
        assert (AS_FLOAT in of_int8.warnings) == (name != INT8)
        assert any("is not quantised" in warning for warning in of_float.warnings) == (name == INT8)
        assert not any("is not quantised" in warning for warning in of_int8.warnings)


#: A gelu as exporters write it, between products of tokens that are flattened to rows and put back.
GELU_NODES: tuple[tuple[str, list[str], str, dict[str, Any]], ...] = (
    ("Reshape", ["x", "rows"], "r", {}),
    ("Gemm", ["r", "w1", "b1"], "g1", {}),
    ("Reshape", ["g1", "tokens"], "t", {}),
    ("Div", ["t", "root"], "d", {}),
    ("Erf", ["d"], "e", {}),
    ("Add", ["e", "one"], "a", {}),
    ("Mul", ["t", "a"], "m", {}),
    ("Mul", ["m", "half"], "h", {}),
    ("MatMul", ["h", "w2"], "y", {}),
)
GELU_WEIGHTS: dict[str, Any] = {
    **{"rows": np.array([64, 3]), "tokens": np.array([1, 2, 32, 16]), "root": np.float32(np.sqrt(2.0))},
    **{"one": np.float32(1.0), "half": np.float32(0.5), "b1": np.ones(16, np.float32)},
    **{"w1": np.linspace(-1, 1, 48, dtype=np.float32).reshape(3, 16)},
    **{"w2": np.linspace(-1, 1, 96, dtype=np.float32).reshape(16, 6)},
}


@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_constants_of_a_composite_op_are_the_floats_that_they_stand_for(form: str, tmp_path: Path) -> None:
    shape = (1, 2, 32, 3)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, reads, [written], **attrs) for op, reads, written, attrs in GELU_NODES],
        "gelu",
        [onnx.helper.make_tensor_value_info("x", 1, shape)],
        [onnx.helper.make_tensor_value_info("y", 1, (1, 2, 32, 6))],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in GELU_WEIGHTS.items()],
    )
    source, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]), source)
    if form == "dynamic":
        quantization.quantize_dynamic(source, target)
    else:
        samples = Samples(np.random.default_rng(0))
        samples._left = iter([{"x": np.ones(shape, np.float32)}])
        quantization.quantize_static(
            source, target, samples, quant_format=getattr(quantization.QuantFormat, form)
        )
    of_float, of_int8 = (load_latency_predictor(INT8).profile(path) for path in (source, target))
    assert [kernel.type for kernel in of_float.kernels] == ["fc-bn", "gelu", "fc"]
    assert [kernel.type.removesuffix("-bn") for kernel in of_int8.kernels] == ["fc", "gelu", "fc"]
    assert of_int8.latency_ms == pytest.approx(of_float.latency_ms, rel=1e-6)
