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
