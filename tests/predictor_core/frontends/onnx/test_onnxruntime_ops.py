"""Ops that onnxruntime's quantiser and optimiser write are the float ops that they stand for."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import pytest

from predictor_core.frontends.onnx import load
from predictor_core.frontends.onnx.integer_ops import AS_FLOAT
from predictor_core.fusion import Rules, detect
from predictor_core.ir.graph import Graph
from predictor_core.kernels import cost
from tests.onnx_factory import OnnxModel, np, onnx, ops

MICROSOFT = "com.microsoft"
NO_FUSION = Rules({})
DENSE = {"conv", "dwconv", "groupconv", "fc", "matmul", "lstm", "se"}


def macs(graph: Graph) -> float:
    return sum(cost(kernel.spec).macs for kernel in detect(graph, NO_FUSION) if kernel.spec.op in DENSE)


class Model(OnnxModel):
    """With the scales, zero points and weights of quantised ops."""

    def __init__(self, *shapes: Any) -> None:
        super().__init__(*shapes)
        self.domains.append(MICROSOFT)
        self.s, self.z = self.number(0.02), self.constant(np.array(0, np.uint8))

    def microsoft(self, op: str, *inputs: str, **attrs: Any) -> str:
        return self(op, *inputs, domain=MICROSOFT, **attrs)

    def int8(self, *shape: int) -> str:
        return self.constant(np.zeros(shape, np.int8))


def test_quantised_products() -> None:
    m = Model((1, 8, 6, 6))
    quantised = m("QuantizeLinear", "x", m.s, m.z)
    conv = m("QLinearConv", quantised, m.s, m.z, m.int8(16, 8, 3, 3), m.s, m.z, m.s, m.z, pads=[1] * 4)
    total = m.microsoft("QLinearAdd", conv, m.s, m.z, conv, m.s, m.z, m.s, m.z)
    pooled = m.microsoft("QLinearGlobalAveragePool", total, m.s, m.z, m.s, m.z)
    flat = m("Flatten", pooled)
    m("DequantizeLinear", m.microsoft("QGemm", flat, m.s, m.z, m.int8(16, 10), m.s, m.z), m.s, m.z)
    graph = m.graph()
    assert ops(graph) == ["conv", "add", "reduce_mean", "fc"]
    assert macs(graph) == 36 * 16 * 72 + 160
    assert graph.warnings == (AS_FLOAT,)


@pytest.mark.parametrize(
    ("op", "weight", "x"),
    [("ConvInteger", (4, 8, 1, 1), (1, 8, 6, 6)), ("MatMulInteger", (8, 4), (1, 36, 8))],
)
def test_dynamically_quantised_products_are_one_kernel(op: str, weight: Any, x: Any) -> None:
    m = Model(x)
    quantised = m("DynamicQuantizeLinear", "x", outputs=3)
    product = m("Cast", m(op, quantised, m.int8(*weight), "t0_2"), to=1)
    scaled = m("Mul", product, m("Mul", "t0_1", m.s))
    m("Add", scaled, m.weight(4, *(1, 1) if len(x) == 4 else ()))
    graph = m.graph()
    assert ops(graph) == ["conv" if len(x) == 4 else "fc"]
    assert macs(graph) == 36 * 32


def test_a_fused_convolution_has_its_sum_and_its_activation() -> None:
    m = Model((1, 8, 6, 6), (1, 8, 3, 3))
    m.microsoft(
        "FusedConv",
        "x",
        m.weight(8, 8, 3, 3),
        m.weight(8),
        "x1",
        strides=[2, 2],
        pads=[1] * 4,
        activation="Relu",
    )
    graph = m.graph()
    assert ops(graph) == ["conv", "add", "relu"]
    assert graph.nodes[-1].shape == (1, 3, 3, 8)
    assert macs(graph) == 9 * 8 * 72


@pytest.mark.parametrize(
    ("op", "shapes", "weights", "attrs", "out", "expected"),
    [
        ("FusedGemm", [(1, 12)], [(20, 12), (20,)], {"transB": 1, "activation": "Relu"}, (1, 20), 240),
        ("FusedMatMul", [(1, 4, 9, 6), (1, 4, 7, 6)], [], {"transB": 1}, (1, 4, 9, 7), 4 * 63 * 6),
        ("FusedMatMul", [(1, 4, 6, 9)], [(6, 7)], {"transA": 1}, (1, 4, 9, 7), 4 * 63 * 6),
        (
            "MatMulNBits",
            [(1, 3, 64)],
            [(32, 2, 16), (64,)],
            {"K": 64, "N": 32},
            (1, 3, 32),
            3 * 64 * 32,
        ),
        ("MultiHeadAttention", [(1, 5, 8)] * 3, [], {"num_heads": 2}, (1, 5, 8), 2 * 25 * 8),
        ("Attention", [(1, 5, 8)], [(8, 24), (24,)], {"num_heads": 2}, (1, 5, 8), 5 * 8 * 24 + 2 * 25 * 8),
        ("SkipLayerNormalization", [(1, 5, 8)] * 2, [(8,), (8,)], {}, (1, 5, 8), 0),
        ("BiasGelu", [(1, 5, 8)], [(8,)], {}, (1, 5, 8), 0),
        ("NhwcMaxPool", [(1, 8, 6, 3)], [], {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 4, 3, 3), 0),
    ],
)
def test_fused_ops(op: str, shapes: Any, weights: Any, attrs: Any, out: Any, expected: float) -> None:
    m = Model(*shapes)
    inputs = [f"x{index or ''}" for index in range(len(shapes))]
    m.microsoft(op, *inputs, *[m.weight(*shape) for shape in weights], **attrs)
    graph = m.graph()
    assert prod(graph.shape(graph.outputs[0])) == prod(out)
    assert macs(graph) == expected


def test_attention_sees_the_keys_of_earlier_steps() -> None:
    m = Model((1, 1, 8), (1, 1, 4), (1, 1, 4), (1, 1, 9, 4), (1, 1, 9, 4))
    made = m.microsoft(
        "GroupQueryAttention", "x", "x1", "x2", "x3", "x4", num_heads=2, kv_num_heads=1, outputs=3
    )
    graph = m.graph(made, "t0_1")
    assert macs(graph) == 2 * 2 * 10 * 4
    assert [graph.shape(tensor) for tensor in graph.outputs] == [(1, 1, 8), (1, 1, 10, 4)]


def test_embeddings_and_their_norm() -> None:
    m = Model((1, 5))
    tables = [m.weight(rows, 8) for rows in (100, 64)]
    m.microsoft("EmbedLayerNormalization", "x", "", *tables, "", m.weight(8), m.weight(8))
    graph = m.graph()
    assert ops(graph) == ["embedding", "add", "layernorm"]
    assert graph.nodes[-1].shape == (1, 5, 8)


def test_a_quantised_lstm() -> None:
    m = Model((7, 1, 6))
    m.microsoft("DynamicQuantizeLSTM", "x", m.int8(1, 6, 16), m.int8(1, 4, 16), hidden_size=4)
    graph = m.graph()
    assert graph.nodes[-1].shape == (7, 1, 1, 4)
    assert macs(graph) == 7 * (6 * 16 + 4 * 16)


@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_an_optimised_model_costs_what_the_model_costs(tmp_path: Path, level: str) -> None:
    runtime = pytest.importorskip("onnxruntime")
    m = OnnxModel((1, 3, 32, 32))
    x = m("Relu", m.conv("x", (16, 3, 3, 3), bias=True, strides=[2, 2], pads=[1] * 4))
    y = m("Relu", m("Add", m.conv(x, (16, 16, 3, 3), bias=True, pads=[1] * 4), x))
    y = m("Sigmoid", m.conv(y, (16, 1, 3, 3), bias=True, group=16))
    m("Gemm", m("Flatten", m("GlobalAveragePool", y)), m.weight(16, 10), m.weight(10))
    proto = m.proto()
    proto.ir_version = 8
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    for index, tensor in enumerate(proto.graph.initializer):
        values = np.random.default_rng(index).random(tuple(tensor.dims)).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    runtime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    optimised, plain = load(tmp_path / "optimised.onnx"), load(proto)
    assert macs(optimised) == macs(plain) > 0
    assert sorted(ops(optimised)) == sorted(ops(plain))


def run_shapes(proto: Any, kind: Any) -> list[list[int]]:
    """Shapes of the outputs in onnxruntime, sorted: the order of the dimensions is the layout's."""
    runtime = pytest.importorskip("onnxruntime")
    proto.ir_version = 8
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    content, providers = proto.SerializeToString(), ["CPUExecutionProvider"]
    session = runtime.InferenceSession(content, options, providers=providers)
    feeds = {info.name: np.ones(info.shape, kind) for info in session.get_inputs()}
    return [sorted(value.shape) for value in session.run(None, feeds)]


#: Quantised ops: what they read ("s" is a scale, "z" a zero point, a shape a tensor of uint8), attributes.
QUANTISED: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("QLinearAdd", [(1, 4, 6, 6), "s", "z", (1, 4, 1, 1), "s", "z", "s", "z"], {}),
    ("QLinearMul", [(1, 4, 6, 6), "s", "z", (1, 4, 6, 6), "s", "z", "s", "z"], {}),
    ("QLinearAveragePool", [(1, 4, 6, 6), "s", "z", "s", "z"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    (
        "QLinearAveragePool",
        [(1, 6, 8, 4), "s", "z", "s", "z"],
        {"kernel_shape": [2, 2], "strides": [2, 2], "channels_last": 1},
    ),
    ("QLinearGlobalAveragePool", [(1, 4, 6, 6), "s", "z", "s", "z"], {}),
    ("QLinearGlobalAveragePool", [(1, 6, 6, 4), "s", "z", "s", "z"], {"channels_last": 1}),
    ("QLinearConcat", ["s", "z", (1, 4, 6), "s", "z", (1, 5, 6), "s", "z"], {"axis": 1}),
    ("QLinearSoftmax", [(1, 4, 6), "s", "z", "s", "z"], {"axis": -1, "opset": 13}),
    ("QLinearLeakyRelu", [(1, 4, 6), "s", "z", "s", "z"], {"alpha": 0.1}),
    ("QLinearSigmoid", [(1, 4, 6), "s", "z", "s", "z"], {}),
    ("QLinearConv", [(1, 6, 8, 4), "s", "z", (5, 4, 3, 3), "s", "z", "s", "z"], {"channels_last": 1}),
    ("QGemm", [(2, 4), "s", "z", (6, 4), "s", "z", "", "s", "z"], {"transB": 1}),
]


@pytest.mark.parametrize(("op", "inputs", "attrs"), QUANTISED)
def test_shapes_of_quantised_ops_are_those_of_onnxruntime(op: str, inputs: Any, attrs: Any) -> None:
    m = Model()
    m.inputs.clear()
    names = []
    for given in inputs:
        if isinstance(given, str):
            names.append({"s": m.s, "z": m.z}.get(given, ""))
        elif len(given) == 4 and op == "QLinearConv" and m.inputs:
            names.append(m.constant(np.zeros(given, np.uint8)))
        else:
            names.append(f"x{len(m.inputs)}")
            m.inputs.append(onnx.helper.make_tensor_value_info(names[-1], onnx.TensorProto.UINT8, given))
    m.microsoft(op, *names, **attrs)
    proto = m.proto()
    proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    graph = load(proto)
    assert [sorted(graph.shape(tensor)) for tensor in graph.outputs] == run_shapes(proto, np.uint8)


CONTRIB: list[tuple[str, list[tuple[int, ...]], list[tuple[int, ...]], dict[str, Any], int]] = [
    ("BiasGelu", [(2, 5, 8)], [(8,)], {}, 1),
    ("FastGelu", [(2, 5, 8)], [(8,)], {}, 1),
    ("QuickGelu", [(2, 5, 8)], [], {}, 1),
    ("SkipLayerNormalization", [(2, 5, 8), (2, 5, 8)], [(8,), (8,), (8,)], {}, 4),
    ("SkipSimplifiedLayerNormalization", [(2, 5, 8), (2, 5, 8)], [(8,)], {}, 4),
    ("FusedMatMul", [(3, 6, 9), (3, 7, 6)], [], {"transA": 1, "transB": 1}, 1),
    ("FusedGemm", [(2, 4)], [(6, 4), (6,)], {"transB": 1, "activation": "Tanh"}, 1),
    ("FusedConv", [(1, 4, 9, 9)], [(6, 4, 3, 3), (6,)], {"activation": "Relu", "strides": [2, 2]}, 1),
    ("MultiHeadAttention", [(2, 5, 8), (2, 7, 8), (2, 7, 8)], [], {"num_heads": 2}, 1),
    ("Attention", [(2, 5, 8)], [(8, 24), (24,)], {"num_heads": 2}, 2),
    ("Attention", [(2, 5, 8)], [(8, 20), (20,)], {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]}, 1),
]


@pytest.mark.parametrize(("op", "shapes", "weights", "attrs", "outputs"), CONTRIB)
def test_shapes_of_fused_ops_are_those_of_onnxruntime(
    op: str, shapes: Any, weights: Any, attrs: Any, outputs: int
) -> None:
    m = Model(*shapes)
    inputs = [f"x{index or ''}" for index in range(len(shapes))]
    m.microsoft(op, *inputs, *[m.weight(*shape) for shape in weights], outputs=outputs, **attrs)
    made = [name for index, name in enumerate(m.nodes[-1].output) if index in (0, 3) or op == "Attention"]
    m.nodes[-1].output[:] = [name if name in made else "" for name in m.nodes[-1].output]
    proto = m.proto(*made)
    graph = load(proto)
    assert [sorted(graph.shape(tensor)) for tensor in graph.outputs] == run_shapes(proto, np.float32)
