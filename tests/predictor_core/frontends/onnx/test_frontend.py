from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.onnx import load
from predictor_core.ir.graph import Shape
from tests.onnx_factory import FLOAT, INT64, OnnxModel, np, onnx, ops

Build = Callable[[OnnxModel], str]

#: op, what the model does with x (1, 8, 12, 10), canonical op, output shape channels last, attributes
CASES: list[tuple[str, Build, str, Shape, dict[str, Any]]] = [
    (
        "conv",
        lambda m: m.conv("x", (16, 8, 3, 5), strides=[2, 1], pads=[1, 0, 2, 3], dilations=[1, 2]),
        "conv",
        (1, 7, 5, 16),
        {
            "kernel": (3, 5),
            "strides": (2, 1),
            "pads": (1, 0, 2, 3),
            "dilations": (1, 2),
            "groups": 1,
            "bias": False,
        },
    ),
    (
        "conv with bias",
        lambda m: m.conv("x", (4, 8, 1, 1), bias=True),
        "conv",
        (1, 12, 10, 4),
        {"bias": True},
    ),
    ("grouped conv", lambda m: m.conv("x", (16, 2, 1, 1), group=4), "conv", (1, 12, 10, 16), {"groups": 4}),
    ("depthwise", lambda m: m.conv("x", (16, 1, 3, 3), group=8), "dwconv", (1, 10, 8, 16), {"groups": 8}),
    (
        "same upper",
        lambda m: m.conv("x", (4, 8, 4, 4), auto_pad="SAME_UPPER", strides=[2, 2]),
        "conv",
        (1, 6, 5, 4),
        {"pads": (1, 1, 1, 1)},
    ),
    (
        "same lower",
        lambda m: m.conv("x", (4, 8, 2, 2), auto_pad="SAME_LOWER"),
        "conv",
        (1, 12, 10, 4),
        {"pads": (1, 1, 0, 0)},
    ),
    (
        "valid",
        lambda m: m.conv("x", (4, 8, 3, 3), auto_pad="VALID"),
        "conv",
        (1, 10, 8, 4),
        {"pads": (0, 0, 0, 0)},
    ),
    (
        "transposed",
        lambda m: m("ConvTranspose", "x", m.weight(8, 4, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
        "convtranspose",
        (1, 24, 20, 4),
        {"strides": (2, 2)},
    ),
    (
        "transposed with output_padding",
        lambda m: m("ConvTranspose", "x", m.weight(8, 4, 3, 3), strides=[2, 2], output_padding=[1, 1]),
        "convtranspose",
        (1, 26, 22, 4),
        {"output_padding": (1, 1)},
    ),
    (
        "max pool",
        lambda m: m("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        "maxpool",
        (1, 6, 5, 8),
        {"kernel": (3, 3), "strides": (2, 2), "pads": (0, 0, 0, 0)},
    ),
    (
        "average pool",
        lambda m: m("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1),
        "avgpool",
        (1, 6, 5, 8),
        {"kernel": (2, 2)},
    ),
    (
        "average pool over all",
        lambda m: m("AveragePool", "x", kernel_shape=[12, 10]),
        "reduce_mean",
        (1, 1, 1, 8),
        {"axes": (1, 2), "keepdims": True},
    ),
    ("global average", lambda m: m("GlobalAveragePool", "x"), "reduce_mean", (1, 1, 1, 8), {"axes": (1, 2)}),
    ("global max", lambda m: m("GlobalMaxPool", "x"), "reduce_max", (1, 1, 1, 8), {"axes": (1, 2)}),
    (
        "mean",
        lambda m: m("ReduceMean", "x", axes=[2, 3], keepdims=0),
        "reduce_mean",
        (1, 8),
        {"axes": (1, 2), "keepdims": False},
    ),
    ("bn", lambda m: m.bn("x", 8), "bn", (1, 12, 10, 8), {}),
    ("relu", lambda m: m("Relu", "x"), "relu", (1, 12, 10, 8), {}),
    ("relu6", lambda m: m("Clip", "x", m.number(0), m.number(6)), "relu6", (1, 12, 10, 8), {}),
    (
        "clip",
        lambda m: m("Clip", "x", m.number(-1), m.number(1)),
        "clip",
        (1, 12, 10, 8),
        {"min": -1.0, "max": 1.0},
    ),
    ("hswish", lambda m: m("HardSwish", "x"), "hswish", (1, 12, 10, 8), {}),
    ("hsigmoid", lambda m: m("HardSigmoid", "x", alpha=1 / 6), "hsigmoid", (1, 12, 10, 8), {}),
    ("swish", lambda m: m("Mul", "x", m("Sigmoid", "x")), "swish", (1, 12, 10, 8), {}),
    ("prelu", lambda m: m("PRelu", "x", m.weight(8, 1, 1)), "prelu", (1, 12, 10, 8), {}),
    ("leaky relu", lambda m: m("LeakyRelu", "x"), "leakyrelu", (1, 12, 10, 8), {}),
    ("scalar operand", lambda m: m("Mul", m.number(2), "x"), "mul", (1, 12, 10, 8), {"const": 2.0}),
    (
        "scalar minus tensor",
        lambda m: m("Sub", m.number(1), "x"),
        "sub",
        (1, 12, 10, 8),
        {"const": 1.0, "const_first": True},
    ),
    (
        "operand for each channel",
        lambda m: m("Add", "x", m.weight(8, 1, 1)),
        "add",
        (1, 12, 10, 8),
        {"const_shape": (8,)},
    ),
    ("concat", lambda m: m("Concat", "x", "x", axis=1), "concat", (1, 12, 10, 16), {"axis": 3}),
    (
        "slice",
        lambda m: m("Slice", "x", m.ints(1), m.ints(2**62), m.ints(2), m.ints(2)),
        "slice",
        (1, 6, 10, 8),
        {"axes": (1,), "starts": (1,), "steps": (2,)},
    ),
    (
        "pad",
        lambda m: m("Pad", "x", m.ints(0, 0, 1, 2, 0, 0, 3, 4)),
        "pad",
        (1, 16, 16, 8),
        {"pads": ((0, 0), (1, 3), (2, 4), (0, 0))},
    ),
    (
        "resize by scales",
        lambda m: m("Resize", "x", "", m.constant(np.array([1, 1, 2, 1.5], np.float32)), mode="linear"),
        "resize",
        (1, 24, 15, 8),
        {"mode": "linear"},
    ),
    ("resize to sizes", lambda m: m("Resize", "x", "", "", m.ints(1, 8, 7, 9)), "resize", (1, 7, 9, 8), {}),
    (
        "depth to space",
        lambda m: m("DepthToSpace", "x", blocksize=2),
        "depthtospace",
        (1, 24, 20, 2),
        {"block": 2},
    ),
    (
        "space to depth",
        lambda m: m("SpaceToDepth", "x", blocksize=2),
        "spacetodepth",
        (1, 6, 5, 32),
        {"block": 2},
    ),
    ("softmax", lambda m: m("Softmax", "x", axis=1), "softmax", (1, 12, 10, 8), {"axis": 3}),
    ("flatten", lambda m: m("Flatten", "x"), "reshape", (1, 960), {}),
    ("reshape", lambda m: m("Reshape", "x", m.ints(0, 8, -1)), "reshape", (1, 120, 8), {}),
    (
        "instance norm",
        lambda m: m("InstanceNormalization", "x", *[m.weight(8)] * 2),
        "instancenorm",
        (1, 12, 10, 8),
        {},
    ),
    ("lrn", lambda m: m("LRN", "x", size=5), "lrn", (1, 12, 10, 8), {}),
]


@pytest.mark.parametrize(
    ("build", "op", "shape", "attrs"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_op(build: Build, op: str, shape: Shape, attrs: dict[str, Any]) -> None:
    model = OnnxModel((1, 8, 12, 10))
    build(model)
    # Keeps the input an image where the op alone does not tell.
    model.conv("x", (1, 8, 1, 1))
    graph = model.graph(model.nodes[-2].output[0])
    node = graph.producer(graph.outputs[0])
    assert ops(graph) == [op]
    assert graph.inputs[0].shape == (1, 12, 10, 8) or op in ("reshape", "softmax")
    assert node.shape == shape
    assert {key: node.attrs[key] for key in attrs} == attrs


@pytest.mark.parametrize(
    ("build", "op", "shape", "attrs"),
    [
        (lambda m: m("Gemm", "x", m.weight(10, 6), m.weight(10), transB=1), "fc", (4, 10), {"bias": True}),
        (lambda m: m("Gemm", "x", m.weight(6, 10)), "fc", (4, 10), {"bias": False}),
        (lambda m: m("MatMul", "x", m.weight(6, 10)), "fc", (4, 10), {"bias": False}),
        (lambda m: m("Add", m("MatMul", "x", m.weight(6, 10)), m.weight(10)), "fc", (4, 10), {"bias": True}),
        (lambda m: m("MatMul", m.weight(5, 4), "x"), "matmul", (5, 6), {"const_shape": (5, 4)}),
        (lambda m: m("LayerNormalization", "x", m.weight(6)), "layernorm", (4, 6), {"axis": 1}),
        (lambda m: m("Softmax", "x"), "softmax", (4, 6), {"axis": 1}),
        (lambda m: m("Transpose", "x"), "transpose", (6, 4), {"perm": (1, 0)}),
        (lambda m: m("Unsqueeze", "x", m.ints(0, -1)), "reshape", (1, 4, 6, 1), {}),
        (lambda m: m("Gather", "x", m.constant(np.array(2)), axis=1), "gather", (4,), {"axis": 1}),
        (lambda m: m("Expand", "x", m.ints(3, 1, 1)), "expand", (3, 4, 6), {}),
        (lambda m: m("TopK", "x", m.ints(2), axis=0), "topk", (2, 6), {"axis": 0}),
        (lambda m: m("ArgMax", "x", axis=1, keepdims=0), "argmax", (4,), {"axis": 1}),
    ],
)
def test_op_on_a_matrix(build: Build, op: str, shape: Shape, attrs: dict[str, Any]) -> None:
    model = OnnxModel((4, 6))
    build(model)
    graph = model.graph()
    node = graph.nodes[-1]
    assert (ops(graph), node.shape) == ([op], shape)
    assert {key: node.attrs[key] for key in attrs} == attrs


def test_matrices_that_are_transposed_on_the_way() -> None:
    model = OnnxModel((6, 4), (5, 6), (4, 5))
    model("Gemm", "x", "x1", "x2", transA=1, transB=1)
    graph = model.graph()
    assert ops(graph) == ["transpose", "transpose", "matmul", "add"]
    assert graph.nodes[-1].shape == (4, 5)
    assert graph.input_shapes(graph.nodes[-2]) == ((4, 6), (6, 5))


@pytest.mark.parametrize(
    ("query", "key", "attrs", "found"),
    [
        ((2, 4, 7, 6), (2, 4, 5, 6), {}, ["mul", "mul", "transpose", "matmul", "softmax", "matmul"]),
        (
            (2, 4, 7, 6),
            (2, 2, 5, 6),
            {},
            ["mul", "mul", "expand", "expand", "transpose", "matmul", "softmax", "matmul"],
        ),
        (
            (2, 7, 24),
            (2, 5, 24),
            {"q_num_heads": 4, "kv_num_heads": 4},
            [
                *["reshape", "transpose"] * 3,
                *["mul", "mul", "transpose", "matmul", "softmax", "matmul", "transpose", "reshape"],
            ],
        ),
    ],
)
def test_attention_is_what_it_stands_for(
    query: Shape, key: Shape, attrs: dict[str, Any], found: list[str]
) -> None:
    model = OnnxModel(query, key, key, opset=23)
    model("Attention", "x", "x1", "x2", **attrs)
    graph = model.graph()
    assert sorted(ops(graph)) == sorted(found)
    assert graph.nodes[-1].shape == query
    assert [node.shape for node in graph if node.op == "softmax"] == [(2, 4, 7, 5)]


def test_einsum_is_a_product() -> None:
    model = OnnxModel((2, 4, 7, 6), (2, 4, 5, 6))
    model("Einsum", "x", "x1", equation="bhqd, bhkd -> bhqk")
    node = model.graph().nodes[-1]
    assert (node.op, node.shape) == ("matmul", (2, 4, 7, 5))


def test_an_einsum_of_constants_alone_is_a_constant() -> None:
    model = OnnxModel((2, 7, 5))
    weights = [model.weight(2, 7, 64), model.weight(2, 64, 5)]
    model("Add", "x", model("Einsum", *weights, equation="bij, bjk -> bik"))
    assert ops(model.graph()) == ["add"]


def test_product_of_two_activations() -> None:
    model = OnnxModel((2, 4, 7, 6), (2, 4, 6, 5))
    model("MatMul", "x", "x1")
    graph = model.graph()
    assert ops(graph) == ["matmul"]
    assert graph.nodes[-1].shape == (2, 4, 7, 5)


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers(op: str, gates: int) -> None:
    model = OnnxModel((7, 2, 6))
    weights = model.weight(2, gates * 5, 6), model.weight(2, gates * 5, 5)
    model(op, "x", *weights, hidden_size=5, direction="bidirectional", outputs=2)
    graph = model.graph()
    node = graph.nodes[-1]
    assert (node.op, node.outputs) == (op.lower(), ((7, 2, 2, 5),))
    assert node.attrs == {"hidden": 5, "layers": 1, "bidirectional": True}


def test_split_in_both_spellings() -> None:
    for opset, spell in (
        (11, lambda m: m("Split", "x", outputs=2, split=[2, 6], axis=1)),
        (13, lambda m: m("Split", "x", m.ints(2, 6), outputs=2, axis=1)),
    ):
        model = OnnxModel((1, 8, 4, 4), opset=opset)
        spell(model)
        model.conv("t0_1", (4, 6, 1, 1))
        graph = model.graph()
        assert ops(graph) == ["split", "conv"]
        assert graph.nodes[1].attrs == {"axis": 3, "sizes": (2, 6)}


def test_pool_with_indices_that_are_read() -> None:
    model = OnnxModel((1, 8, 4, 4))
    pooled = model("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], outputs=2)
    model("MaxUnpool", pooled, "t0_1", kernel_shape=[2, 2], strides=[2, 2])
    graph = model.graph()
    assert ops(graph) == ["maxpool", "MaxUnpool"]
    assert graph.nodes[1].outputs == ((1, 2, 2, 8),) * 2
    assert graph.nodes[2].shape == (1, 4, 4, 8)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 18, 21])
def test_one_net_in_many_opsets(opset: int) -> None:
    model = OnnxModel((1, 3, 16, 16), opset=opset)
    y = model("Relu", model.bn(model.conv("x", (8, 3, 3, 3), pads=[1, 1, 1, 1]), 8))
    if opset >= 13:
        y = model(
            "ReduceMean",
            y,
            *([model.ints(2, 3)] if opset >= 18 else []),
            **({} if opset >= 18 else {"axes": [2, 3]}),
        )
        y = model("Squeeze", y, model.ints(2, 3))
    else:
        y = model("Squeeze", model("ReduceMean", y, axes=[2, 3]), axes=[2, 3])
    model("Gemm", y, model.weight(10, 8), model.weight(10), transB=1)
    graph = model.graph()
    assert ops(graph) == ["conv", "relu", "reduce_mean", "fc"]
    assert graph.nodes[-1].shape == (1, 10)


@pytest.mark.parametrize(
    ("opset", "build", "op", "shape"),
    [
        (7, lambda m: m("Upsample", "x", scales=[1.0, 1.0, 2.0, 2.0]), "resize", (1, 16, 16, 3)),
        (
            9,
            lambda m: m("Upsample", "x", m.constant(np.array([1, 1, 2, 2], np.float32))),
            "resize",
            (1, 16, 16, 3),
        ),
        (
            10,
            lambda m: m("Resize", "x", m.constant(np.array([1, 1, 2, 2], np.float32))),
            "resize",
            (1, 16, 16, 3),
        ),
        (9, lambda m: m("Pad", "x", pads=[0, 0, 1, 1, 0, 0, 1, 1]), "pad", (1, 10, 10, 3)),
        (9, lambda m: m("Slice", "x", starts=[0, 2], ends=[9, -2], axes=[2, 3]), "slice", (1, 8, 4, 3)),
        (9, lambda m: m("Clip", "x", min=0.0, max=6.0), "relu6", (1, 8, 8, 3)),
        (9, lambda m: m("TopK", "x", k=2, axis=1, outputs=2), "topk", (1, 8, 8, 2)),
        (8, lambda m: m("Sum", "x", "x"), "add", (1, 8, 8, 3)),
        (7, lambda m: m("Dropout", m("Relu", "x"), ratio=0.5), "relu", (1, 8, 8, 3)),
        (18, lambda m: m("Split", "x", axis=1, num_outputs=2, outputs=2), "split", (1, 8, 8, 2)),
        (18, lambda m: m("Pad", "x", m.ints(1, 1), "", m.ints(2)), "pad", (1, 10, 8, 3)),
        (18, lambda m: m("Resize", "x", "", "", m.ints(4, 4), axes=[2, 3]), "resize", (1, 4, 4, 3)),
        (20, lambda m: m("Gelu", "x"), "gelu", (1, 8, 8, 3)),
        (
            21,
            lambda m: m("GroupNormalization", "x", *[m.weight(3)] * 2, num_groups=3),
            "groupnorm",
            (1, 8, 8, 3),
        ),
    ],
)
def test_spellings_of_old_and_new_opsets(opset: int, build: Build, op: str, shape: Shape) -> None:
    model = OnnxModel((1, 3, 8, 8), opset=opset)
    build(model)
    graph = model.graph(model.nodes[-1].output[0])
    assert ops(graph) == [op]
    assert graph.nodes[-1].outputs[0] == shape


def test_flatten_as_exporters_write_it() -> None:
    """Shape, Gather, Unsqueeze, Concat, Reshape; through Identity, Constant, Cast and without names."""
    m = OnnxModel((2, 8, 4, 4))
    y = m("Relu", m("Identity", m.conv("x", (8, 8, 1, 1))), named=False)
    shape = m("Shape", y, named=False)
    zero = m("Constant", value=onnx.numpy_helper.from_array(np.array(0, np.int64)), named=False)
    batch = m("Gather", shape, zero, named=False)
    rest = m("Div", m("Size", y), batch)
    rows = m("Unsqueeze", m("Cast", batch, to=INT64), m.ints(0), named=False)
    target = m("Concat", rows, m("Unsqueeze", rest, m.ints(0)), axis=0, named=False)
    y = m("Dropout", m("Reshape", y, target, named=False), outputs=2)
    m("Gemm", y, m.weight(5, 128), transB=1, named=False)
    graph = m.graph()
    assert ops(graph) == ["conv", "relu", "reshape", "fc"]
    assert graph.nodes[-1].shape == (2, 5)
    assert len({node.name for node in graph}) == len(graph)


@pytest.mark.parametrize("noise", ["RandomNormalLike", "RandomUniformLike"])
def test_noise_is_a_constant(noise: str) -> None:
    m = OnnxModel((1, 8, 4, 4))
    y = m("Relu", "x")
    m("Add", y, m("Exp", m(noise, y)))
    assert ops(m.graph()) == ["relu", "add"]


def test_initializers_among_the_inputs_are_no_inputs() -> None:
    m = OnnxModel((1, 3, 8, 8), opset=8)
    m.conv("x", (4, 3, 1, 1))
    m.inputs.append(onnx.helper.make_tensor_value_info("c0", FLOAT, (4, 3, 1, 1)))
    assert [node.name for node in m.graph().inputs] == ["x"]


def test_training_outputs_of_batch_norm_are_dropped() -> None:
    m = OnnxModel((1, 3, 8, 8), opset=13)
    m.bn(m.conv("x", (4, 3, 1, 1)), 4, outputs=5)
    m("Relu", "t1")
    assert ops(m.graph("t2", "t1_1")) == ["conv", "relu"]


def test_weights_that_a_node_computes_are_constant() -> None:
    m = OnnxModel((1, 3, 8, 8))
    weight = m("Transpose", m("Mul", m.weight(3, 64, 3, 3), m.number(2)), perm=[1, 0, 2, 3])
    m("Conv", "x", weight)
    graph = m.graph()
    assert ops(graph) == ["conv"]
    assert graph.nodes[-1].shape == (1, 6, 6, 64)


def test_an_op_whose_shape_nothing_states_is_named() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m.domains.append("my.ops")
    m("Relu", m("NotAnOp", m.conv("x", (4, 3, 1, 1)), domain="my.ops"))
    with pytest.raises(UnsupportedOpError, match=r"'NotAnOp_1' \(NotAnOp of the domain 'my\.ops'\)"):
        m.graph()


def test_an_unknown_op_with_an_open_batch_takes_that_of_its_input() -> None:
    m = OnnxModel((2, 3, 8, 8))
    m.domains.append("my.ops")
    m("Relu", m("NotAnOp", m.conv("x", (4, 3, 1, 1)), domain="my.ops"))
    proto = m.proto()
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("t1", FLOAT, ("unk", 5, 4, 4)))
    graph = load(proto)
    assert ops(graph) == ["conv", "NotAnOp", "relu"]
    assert graph.nodes[-1].shape == (2, 4, 4, 5)
    assert "first dimension of NotAnOp 'NotAnOp_1' open; the 2 of its input" in graph.warnings[0]


def test_an_op_that_onnx_knows_takes_the_shape_that_onnx_infers_of_it() -> None:
    m = OnnxModel((1, 4, 6, 6))
    m("Relu", m("MaxUnpool", "x", "x", kernel_shape=[2, 2], strides=[2, 2]))
    assert m.graph()["MaxUnpool_0"].shape == (1, 12, 12, 4)


@pytest.mark.parametrize(
    ("policy", "size"), [("stretch", (12, 30)), ("not_larger", (12, 24)), ("not_smaller", (15, 30))]
)
def test_resize_keeps_the_aspect_ratio(policy: str, size: tuple[int, int]) -> None:
    m = OnnxModel((1, 3, 10, 20), opset=18)
    sizes = m.ints(12, 30)
    m("Resize", "x", "", "", sizes, axes=[2, 3], keep_aspect_ratio_policy=policy)
    assert m.graph().nodes[-1].shape == (1, *size, 3)


@pytest.mark.parametrize("name", ["?", "None", ""])
def test_a_dimension_without_a_name_is_no_symbol(name: str) -> None:
    m = OnnxModel((1, 3, name, name))
    m.conv("x", (4, 3, 1, 1))
    assert m.graph(input_shape=(1, 3, 6, 8)).nodes[-1].shape == (1, 6, 8, 4)


def test_an_open_batch_is_one_and_told() -> None:
    graph = dynamic(("batch", 3, 8, 8)).graph()
    assert graph.nodes[-1].shape == (1, 6, 6, 4)
    assert graph.warnings == ("input 'x' leaves the batch open; 1 is taken (input_shape sets another)",)


def test_a_mask_takes_all_that_it_may_keep() -> None:
    m = OnnxModel((1, 4, 5, 5))
    mask = m("NonZero", m("Greater", "x", m.number(0.5)))
    m("Relu", m("GatherND", "x", m("Transpose", mask, perm=[1, 0])))
    graph = m.graph()
    assert graph.nodes[-1].shape == (100,)
    assert "NonZero 'NonZero_1' finds depends on the data; all 100 elements" in graph.warnings[0]


def test_shape_of_an_unknown_op_is_taken_from_the_file() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m.domains.append("my.ops")
    m("Relu", m("Crop", "x", domain="my.ops"))
    proto = m.proto()
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("t0", FLOAT, (1, 3, 5, 5)))
    assert load(proto).nodes[-1].shape == (1, 5, 5, 3)


def test_shape_of_a_standard_op_without_a_rule_is_inferred() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m("Col2Im", m("Reshape", "x", m.ints(1, 12, 16)), m.ints(8, 8), m.ints(2, 2), strides=[2, 2])
    graph = OnnxModelWithOpset18(m).graph()
    assert ops(graph) == ["reshape", "Col2Im"]
    assert sorted(graph.nodes[-1].shape) == [1, 3, 8, 8]


class OnnxModelWithOpset18(OnnxModel):
    def __init__(self, model: OnnxModel) -> None:
        self.__dict__.update(model.__dict__)
        self.opset = 18


def test_functions_of_the_model_are_expanded() -> None:
    m = OnnxModel((1, 3, 8, 8))
    body = [onnx.helper.make_node("Sigmoid", ["a"], ["s"]), onnx.helper.make_node("Mul", ["a", "s"], ["b"])]
    opsets = [onnx.helper.make_opsetid("", 17)]
    m.functions.append(onnx.helper.make_function("my.ops", "Silu2", ["a"], ["b"], body, opsets))
    m.domains.append("my.ops")
    m("Silu2", m.conv("x", (4, 3, 1, 1)), domain="my.ops")
    assert ops(m.graph()) == ["conv", "swish"]


def branch(op: str) -> Any:
    node = onnx.helper.make_node(op, ["x"], [f"y_{op}"])
    output = onnx.helper.make_tensor_value_info(f"y_{op}", FLOAT, None)
    return onnx.helper.make_graph([node], op, [], [output])


def test_if_with_a_constant_condition_is_its_branch() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m("If", m.constant(np.array(False)), then_branch=branch("Relu"), else_branch=branch("Sigmoid"))
    assert ops(m.graph()) == ["sigmoid"]


def test_control_flow_at_run_time_is_refused() -> None:
    m = OnnxModel((1, 3, 8, 8))
    condition = m("Greater", m("ReduceMax", "x", keepdims=0), m.number(0))
    m("If", condition, then_branch=branch("Relu"), else_branch=branch("Sigmoid"))
    with pytest.raises(UnsupportedOpError, match=r"If.*run time"):
        m.graph()


def dynamic(*shapes: Any) -> OnnxModel:
    m = OnnxModel(*shapes)
    m.conv("x", (4, 3, 3, 3))
    return m


def test_symbolic_dimensions_are_refused_by_name() -> None:
    with pytest.raises(ModelFormatError, match=r"'x'.*symbolic dimensions batch, height; give input_shape"):
        dynamic(("batch", 3, "height", 32)).graph()


@pytest.mark.parametrize("shape", [(2, 3, 20, 32), (3, 20, 32), [(2, 3, 20, 32)], {"x": (2, 3, 20, 32)}])
def test_symbolic_dimensions_are_taken_from_input_shape(shape: Any) -> None:
    graph = dynamic(("batch", 3, "height", 32)).graph(input_shape=shape)
    batch = 2 if shape != (3, 20, 32) else 1
    assert graph.nodes[-1].shape == (batch, 18, 30, 4)


def test_a_symbol_has_one_value_in_all_inputs() -> None:
    m = dynamic(("n", 3, 8, 8), ("n", 5))
    assert [node.shape for node in m.graph(input_shape=(6, 3, 8, 8)).inputs] == [(6, 8, 8, 3), (6, 5)]


def test_a_symbol_with_two_values_is_refused() -> None:
    with pytest.raises(ModelFormatError, match="dimension n two values, 6 and 7"):
        dynamic(("n", 3, 8, 8), ("n", 5)).graph(input_shape=[(6, 3, 8, 8), (7, 5)])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (1, 3, 64, 64),
            "'x' has the shape \\[1, 3, 32, 32\\], which input_shape \\[1, 3, 64, 64\\] does not fit",
        ),
        ((1, 3), "does not fit"),
        ((1, 3, -32, 32), "positive integers"),
        ((1, 3, 32.5, 32), "positive integers"),
        ("1,3,32,32", "positive integers"),
        ([(1, 3, 32, 32), (1, 3)], "1 more shapes than the model has inputs"),
        ({"image": (1, 3, 32, 32)}, "names 'image'"),
    ],
)
def test_input_shape_that_does_not_fit_is_refused(shape: Any, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        dynamic((1, 3, 32, 32)).graph(input_shape=shape)


@pytest.mark.parametrize(
    "shape", [(1, 3, 0, 32), (1, 3, -5, 32), (1, 3, 2**40, 32), (2**20, 3, 2**20, 2**20)]
)
def test_impossible_dimensions_are_refused(shape: Shape) -> None:
    with pytest.raises(GraphError, match="'x'"):
        dynamic(shape).graph()


def test_a_cycle_is_refused() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m("Add", "x", "t1")
    m("Relu", "t0")
    with pytest.raises(GraphError, match="cycle"):
        m.graph()


def test_nodes_in_another_order_are_sorted() -> None:
    m = OnnxModel((1, 3, 8, 8))
    y = m.conv("x", (4, 3, 1, 1))
    m("Relu", y)
    m.nodes.reverse()
    assert ops(m.graph("t1")) == ["conv", "relu"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda m: m.conv("x", (4, 5, 1, 1)), r"'Conv_0'.*weights \[4, 5, 1, 1\] in 1 groups don't fit"),
        (lambda m: m.conv("x", (4, 3, 9, 9)), "'Conv_0'.*kernel .* does not fit a feature map"),
        (lambda m: m.conv("x", (4, 3, 1, 1), strides=[0, 1]), "strides"),
        (lambda m: m("Reshape", "x", m.ints(5, -1)), "can't reshape"),
        (lambda m: m("Concat", "x", m("Reshape", "x", m.ints(1, 192)), axis=1), "can't join"),
        (lambda m: m("Add", "x", m.weight(7)), "do not broadcast"),
        (lambda m: m("Softmax", "x", axis=7), "axis 7 is outside"),
        (lambda m: m("Relu", "nowhere"), "reads 'nowhere', which nothing makes"),
        (lambda m: m("Relu"), "lacks its input 0"),
        (lambda m: m("DepthToSpace", "x"), "malformed"),
    ],
)
def test_contradictions_name_the_node(build: Build, message: str) -> None:
    m = OnnxModel((1, 3, 8, 8))
    build(m)
    m("Relu", "t0" if len(m.nodes) == 1 else m.nodes[-1].output[0])
    with pytest.raises(GraphError, match=message) as caught:
        m.graph()
    assert "\n" not in str(caught.value)


def test_shapes_that_depend_on_values_are_refused() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m("Relu", m("Reshape", "x", m("Cast", m("ReduceSum", "x", keepdims=0), to=INT64)))
    with pytest.raises(ModelFormatError, match=r"'Reshape_2'.*unknown"):
        m.graph()


def test_model_whose_output_is_constant_is_refused() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m("Shape", "x")
    with pytest.raises(ModelFormatError, match="no output"):
        m.graph()


def test_old_opsets_are_refused() -> None:
    with pytest.raises(ModelFormatError, match="opset 6"):
        OnnxModel.graph(_relu(opset=6))


def _relu(opset: int) -> OnnxModel:
    m = OnnxModel((1, 3, 8, 8), opset=opset)
    m("Relu", "x")
    return m


def test_model_objects_are_not_changed() -> None:
    m = dynamic(("n", 3, 16, 16))
    proto = m.proto()
    before = proto.SerializeToString()
    load(proto, input_shape=(1, 3, 16, 16))
    assert proto.SerializeToString() == before


def test_file_and_object_give_one_graph(tmp_path: Path) -> None:
    proto = dynamic((1, 3, 16, 16)).proto()
    path = tmp_path / "net.onnx"
    onnx.save(proto, str(path))
    graph = load(path)
    assert graph == load(proto)
    assert graph.name == "net"


@pytest.mark.parametrize("model", [None, 3, b"bytes", {"graph": 1}])
def test_other_objects_are_refused(model: Any) -> None:
    with pytest.raises(ModelFormatError, match="expected the path of an ONNX file"):
        load(model)


def test_module_paths_are_kept() -> None:
    m = OnnxModel((1, 3, 8, 8))
    y = m.conv("x", (4, 3, 1, 1))
    m("Relu", y)
    m.nodes[0].name = "/features/features.0/features.0.1/conv/Conv"
    m.nodes[1].name = "/layer1/act/Relu"
    assert [node.scope for node in m.graph()] == ["", "features.0.1.conv", "layer1.act"]


def test_module_paths_are_told_to_a_depth() -> None:
    m = OnnxModel((1, 3, 8, 8))
    m("Relu", "x")
    m.nodes[0].name = "/a" * 1000 + "/Relu"
    assert m.graph().nodes[-1].scope == ".".join(["a"] * 100)


def test_given_size_of_a_transposed_conv_is_reached_by_its_pads() -> None:
    model = OnnxModel((1, 3, 8, 8))
    model("ConvTranspose", "x", model.weight(3, 4, 3, 3), strides=[2, 2], output_shape=[16, 18])
    node = model.graph().nodes[-1]
    assert node.shape == (1, 16, 18, 4)
    assert node.attrs["pads"] == (1, 0, 0, 0)
    assert node.attrs["output_padding"] == (0, 1)


def test_rank_1_input_of_a_product_with_weights() -> None:
    model = OnnxModel((10,))
    product = model("MatMul", "x", model.weight(10, 5))
    model("Add", product, model.weight(5))
    (node,) = [node for node in model.graph() if node.op != "input"]
    assert (node.op, node.shape, node.attrs["bias"]) == ("fc", (5,), True)


def test_indices_of_a_max_pool_as_exporters_spell_them() -> None:
    model = OnnxModel((1, 4, 8, 8))
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    model("MaxPool", "x", outputs=2, **window)
    model("MaxPool", "x", outputs=2, kernel_shape=[1, 1])
    first = model("Slice", "t1_1", model.ints(0, 0), model.ints(1, 1), model.ints(2, 3))
    flat = model("Sub", "t0_1", first)
    graph = model.graph("t0", flat)
    assert ops(graph) == ["maxpool"]
    assert len(graph.outputs) == 2


def test_a_tensor_has_one_maker() -> None:
    model = OnnxModel()
    model("Relu", "x", named=False)
    proto = model.proto()
    proto.graph.node.append(proto.graph.node[0])
    with pytest.raises(GraphError, match=r"node 't0' .* makes 't0', which another node makes"):
        load(proto)


def test_messages_call_a_node_without_a_name_by_what_it_makes() -> None:
    model = OnnxModel()
    model("Add", "x", "t1", named=False)
    model("Relu", "t0", named=False)
    with pytest.raises(GraphError, match="cycle through or before node 't0'"):
        load(model.proto())


def test_pixel_unshuffle_as_exporters_spell_it() -> None:
    model = OnnxModel((1, 4, 8, 12))
    parted = model("Reshape", "x", model.ints(1, 4, 4, 2, 6, 2))
    turned = model("Transpose", parted, perm=[0, 1, 3, 5, 2, 4])
    model("Reshape", turned, model.ints(1, 16, 4, 6))
    (node,) = [node for node in model.graph() if node.op != "input"]
    assert (node.op, node.shape, dict(node.attrs)) == ("spacetodepth", (1, 4, 6, 16), {"block": 2})


def test_pads_that_are_computed_stay_before_a_conv() -> None:
    model = OnnxModel((1, 4, 8, 8), (8,))
    padded = model("Pad", "x", "x1")
    model.conv(padded, (8, 4, 3, 3))
    proto = model.proto()
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info(padded, FLOAT, (1, 4, 10, 10)))
    assert ops(load(proto)) == ["pad", "conv"]


def test_axes_of_unsqueeze_are_distinct() -> None:
    model = OnnxModel((2, 3))
    model("Unsqueeze", "x", model.ints(0, 0))
    with pytest.raises(GraphError, match="name a dimension twice"):
        model.graph()


def test_gather_from_a_gigantic_dimension_is_refused() -> None:
    model = OnnxModel((1, 10**12))
    model("Gather", "x", model.ints(0), axis=1)
    with pytest.raises(GraphError, match="every dimension must be a positive integer"):
        model.graph()


def test_models_of_classical_learning_are_named() -> None:
    node = onnx.helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml")
    ends = [onnx.helper.make_tensor_value_info(name, FLOAT, [1, 4]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([node], "scaler", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("ai.onnx.ml", 3)])
    with pytest.raises(ModelFormatError, match=r"ops of ai\.onnx\.ml alone"):
        load(model)
