"""Real TensorFlow models, and small graphs written by hand, become the right Graph."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import GraphError, ModelFormatError, PredictorError, UnsupportedOpError
from predictor_core.frontends.nnmeter_ir import load as load_document
from predictor_core.frontends.nnmeter_ir import to_document
from predictor_core.frontends.tensorflow import load
from predictor_core.fusion import detect, load_rules
from predictor_core.ir.graph import Graph
from predictor_core.kernels import cost
from tests.predictor_core.frontends import protobuf as pb

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tensorflow"
NAMES = sorted(file.name.removesuffix(".pb.gz") for file in FIXTURES.glob("*.pb.gz"))
KERAS = ["mobilenet_v2", "mobilenet_v3_small", "resnet50", "efficientnet_b0"]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tensorflow")
    found = {}
    for name in NAMES:
        found[name] = folder / name
        if "saved_model" in name:
            found[name].mkdir()
        file = found[name] / "saved_model.pb" if "saved_model" in name else found[name].with_suffix(".pb")
        file.write_bytes(gzip.decompress((FIXTURES / f"{name}.pb.gz").read_bytes()))
        found[name] = found[name] if "saved_model" in name else file
    return found


def read(models: dict[str, Path], name: str) -> Graph:
    # The size of the images is open in this one alone.
    return load(models[name], input_shape=(1, 3, 224, 224) if "v3" in name else None)


def unnamed(graph: Graph) -> list[Any]:
    """Nodes without their names: op, attributes, shapes, and which nodes they read."""
    place = {name: index for index, node in enumerate(graph) for name in node.tensors}
    return [
        (node.op, dict(node.attrs), node.outputs, [place[name] for name in node.inputs]) for node in graph
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_is_read_and_written(models: dict[str, Path], name: str) -> None:
    graph = read(models, name)
    assert len(graph.inputs) == 1
    assert load_document(json.loads(json.dumps(to_document(graph)))) == graph


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("frozen") and "nchw" not in name])
def test_shapes_are_those_that_tensorflow_infers(models: dict[str, Path], name: str) -> None:
    expected = json.loads(gzip.decompress((FIXTURES / "shapes.json.gz").read_bytes()))[name]
    graph = read(models, name)
    compared = 0
    for node in graph:
        # Reductions keep dimensions as it suits the model, products take any rank, splits stand for stacks.
        if node.name in expected and node.op not in ("reduce_mean", "fc") and node.name != "unstack":
            assert list(node.shape) == expected[node.name], node
            compared += 1
    assert compared > 0.5 * len(graph)


@pytest.mark.parametrize("name", KERAS)
def test_frozen_and_saved_model_are_one_graph(models: dict[str, Path], name: str) -> None:
    assert unnamed(read(models, f"{name}_frozen")) == unnamed(read(models, f"{name}_saved_model"))


def test_keras_2_and_3_give_one_graph(models: dict[str, Path]) -> None:
    graphs = [
        unnamed(read(models, name))
        for name in ("mobilenet_v2_frozen", "mobilenet_v2_keras2_frozen", "mobilenet_v2_keras2_saved_model")
    ]
    assert graphs[0] == graphs[1] == graphs[2]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mobilenet_v2", {"conv": 35, "dwconv": 17, "relu6": 35, "add": 10, "reduce_mean": 1, "fc": 1}),
        ("mobilenet_v3_small", {"conv": 43, "dwconv": 11, "hswish": 19, "hsigmoid": 9, "reduce_mean": 10}),
        ("resnet50", {"conv": 53, "relu": 49, "add": 16, "maxpool": 1, "reduce_mean": 1, "fc": 1}),
        (
            "efficientnet_b0",
            {"conv": 65, "dwconv": 16, "swish": 49, "sigmoid": 16, "reduce_mean": 17, "fc": 1},
        ),
    ],
)
def test_keras_models_have_their_ops(models: dict[str, Path], name: str, counts: dict[str, int]) -> None:
    found = Counter(node.op for node in read(models, f"{name}_frozen"))
    assert {op: found[op] for op in counts} == counts
    assert not {"bn", "biasadd", "pad", "identity"} & set(found)


def test_tensorflow_1_network(models: dict[str, Path]) -> None:
    graph = load(models["tf1_frozen"])
    ops = " ".join(node.op for node in graph)
    assert ops == "input conv relu6 dwconv conv relu6 conv relu6 add maxpool split concat reshape fc softmax"
    first = graph.nodes[1]
    assert first.attrs["pads"] == (0, 0, 1, 1)
    assert first.attrs["bias"] is True
    assert graph.shape(graph.outputs[0]) == (1, 10)


def test_channels_first_graph_becomes_channels_last(models: dict[str, Path]) -> None:
    graph = load(models["tf1_nchw_frozen"])
    assert graph.inputs[0].shape == (1, 32, 32, 3)
    assert [node.shape for node in graph if node.op == "conv"] == [
        (1, 16, 16, 16),
        (1, 16, 16, 24),
        (1, 16, 16, 24),
    ]
    assert next(node for node in graph if node.op == "concat").attrs["axis"] == 3


def test_attention_and_dilation(models: dict[str, Path]) -> None:
    attention = Counter(node.op for node in load(models["transformer_frozen"]))
    counts = {"embedding": 1, "fc": 7, "matmul": 2, "softmax": 1, "layernorm": 2, "gelu": 1, "add": 2}
    assert {op: attention[op] for op in counts} == counts
    assert not {"rsqrt", "neg", "square", "sub", "where"} & set(attention)
    decoder = {node.op: node for node in load(models["decoder_frozen"])}
    assert decoder["dwconv"].attrs["dilations"] == (2, 2)
    assert decoder["dwconv"].attrs["pads"] == (2, 2, 2, 2)
    assert "SpaceToBatchND" not in decoder


def test_batch_and_image_size_come_from_input_shape(models: dict[str, Path]) -> None:
    path = models["mobilenet_v3_small_frozen"]
    with pytest.raises(ModelFormatError, match="open shape"):
        load(path)
    graph = load(path, input_shape=(4, 96, 128, 3))
    assert graph.inputs[0].shape == (4, 96, 128, 3)
    assert graph.shape(graph.outputs[0]) == (4, 1000)
    with pytest.raises(ModelFormatError, match="does not fit"):
        load(models["mobilenet_v2_frozen"], input_shape=(1, 3, 96, 96))


def test_signatures(models: dict[str, Path]) -> None:
    path = models["mobilenet_v2_saved_model"]
    assert unnamed(load(path, signature="serve")) == unnamed(load(path / "saved_model.pb"))
    with pytest.raises(ModelFormatError, match="no signature 'train'; it has: serve, serving_default"):
        load(path, signature="train")
    with pytest.raises(ModelFormatError, match=r"no signature 'servng'; did you mean 'serve'\?"):
        load(path, signature="servng")
    with pytest.raises(ModelFormatError, match="a frozen graph has no signatures"):
        load(models["mobilenet_v2_frozen"], signature="serve")


def saved_model(*signatures: str) -> bytes:
    """Return a saved model whose signatures all take x and give y."""
    info = pb.field(1, "x:0")
    sides = pb.field(1, pb.field(1, "i") + pb.field(2, info))
    sides += pb.field(2, pb.field(1, "o") + pb.field(2, pb.field(1, "y:0")))
    graph = pb.graph(pb.placeholder("x", [1, 8, 8, 3]), pb.node("y", "Relu", ["x"]))
    meta = pb.field(1, pb.field(4, "serve")) + pb.field(2, graph)
    for name in signatures:
        meta += pb.field(5, pb.field(1, name) + pb.field(2, sides))
    return pb.field(1, 1) + pb.field(2, meta)


def test_one_of_several_signatures_is_to_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(saved_model("image", "text"))
    with pytest.raises(
        ModelFormatError, match=r"it has: image, text\. Choose one: --signature NAME"
    ) as caught:
        load(tmp_path)
    assert "no TensorFlow model" not in str(caught.value)
    assert [node.op for node in load(tmp_path, signature="text")] == ["input", "relu"]
    (tmp_path / "saved_model.pb").write_bytes(saved_model())
    with pytest.raises(ModelFormatError, match="no signature with inputs"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), r"is a Keras file.*\.export\(FOLDER\)"),
        ("model.keras", b"PK\x03\x04" + bytes(64), r"is a Keras file.*\.export\(FOLDER\)"),
        ("weights", b"\x89HDF\r\n\x1a\n" + bytes(64), "is a Keras file"),
        ("graph.pbtxt", b"node {", "in text form"),
        ("model.ckpt-1.meta", b"\x0a\x05", "part of a checkpoint"),
    ],
)
def test_other_formats_are_answered_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFormatError, match=message):
        load(tmp_path / name)


def built(tmp_path: Path, *nodes: bytes, functions: Any = ()) -> Graph:
    file = tmp_path / "model.pb"
    file.write_bytes(pb.graph(*nodes, functions=functions))
    return load(file)


def test_weights_are_not_read(tmp_path: Path) -> None:
    weight = pb.node(
        "w", "Const", dtype=(6, 1), value=(8, pb.field(1, 1) + pb.field(2, pb.shape([3, 3, 3, 10**6])))
    )
    graph = built(
        tmp_path,
        pb.placeholder("x", [1, 8, 8, 3]),
        weight,
        pb.node("y", "Conv2D", ["x", "w"], strides=[1, 1, 1, 1], padding="SAME"),
    )
    assert graph.nodes[-1].shape == (1, 8, 8, 10**6)


def test_shape_chain_is_folded(tmp_path: Path) -> None:
    graph = built(
        tmp_path,
        pb.placeholder("x", [-1, 4, 6, 5]),
        pb.node("shape", "Shape", ["x"]),
        pb.const("one", [1], [1]),
        pb.const("three", [1], [3]),
        pb.node("middle", "StridedSlice", ["shape", "one", "three", "one"]),
        pb.const("axis", [1], [0]),
        pb.node("area", "Prod", ["middle", "axis"]),
        pb.const("rest", [], [-1]),
        pb.node("target", "Pack", ["area", "rest"], axis=0),
        pb.node("y", "Reshape", ["x", "target"]),
    )
    assert graph.nodes[-1].shape == (24, 5)


def test_functions_are_inlined(tmp_path: Path) -> None:
    inner = pb.function("inner", ["a"], {"r": "relu:activations:0"}, pb.node("relu", "Relu", ["a"]))
    outer = pb.function(
        "outer",
        ["a"],
        {"r": "second:output:0"},
        pb.node("first", "PartitionedCall", ["a"], f=(10, pb.field(1, "inner"))),
        pb.node("second", "PartitionedCall", ["first:output:0"], f=(10, pb.field(1, "inner"))),
    )
    call = pb.node("call", "StatefulPartitionedCall", ["x"], f=(10, pb.field(1, "outer")))
    graph = built(tmp_path, pb.placeholder("x", [1, 4]), call, functions=[inner, outer])
    assert [node.op for node in graph] == ["input", "relu", "relu"]
    assert len({node.name for node in graph}) == 3


def test_branches_by_a_constant_are_taken(tmp_path: Path) -> None:
    graph = built(
        tmp_path,
        pb.placeholder("x", [1, 4]),
        pb.placeholder("keras_learning_phase", [], dtype=10),
        pb.node("s", "Switch", ["x", "keras_learning_phase"]),
        pb.node("train", "Tanh", ["s:1"]),
        pb.node("serve", "Relu", ["s"]),
        pb.node("y", "Merge", ["serve", "train"]),
        pb.node("out", "Identity", ["y"]),
    )
    assert [node.op for node in graph] == ["input", "relu"]


def test_dropout_by_a_placeholder(tmp_path: Path) -> None:
    # tf.nn.dropout(x, keep_prob) of TensorFlow 1: x / keep_prob * floor(keep_prob + random).
    graph = built(
        tmp_path,
        pb.placeholder("x", [1, 8, 8, 4]),
        pb.placeholder("keep_prob", None),
        pb.const("shape", [4], [1, 8, 8, 4]),
        pb.node("random", "RandomUniform", ["shape"], dtype=(6, 1)),
        pb.node("sum", "Add", ["keep_prob", "random"]),
        pb.node("mask", "Floor", ["sum"]),
        pb.node("scaled", "RealDiv", ["x", "keep_prob"]),
        pb.node("y", "Mul", ["scaled", "mask"]),
    )
    assert sorted((node.op, node.shape) for node in graph) == [
        (op, (1, 8, 8, 4)) for op in ("RandomUniform", "add", "div", "floor", "input", "mul")
    ]
    assert [node.name for node in graph.inputs] == ["x"]
    assert "input 'keep_prob' states no shape" in graph.warnings[0]


def test_loops_of_tensorflow_1_are_named(tmp_path: Path) -> None:
    # The walk closes the circle at an Identity or an op, not at a node of the loop itself.
    with pytest.raises(UnsupportedOpError, match=r"'\w+' \((NextIteration|Enter|Merge)\) is part of a loop"):
        built(
            tmp_path,
            pb.placeholder("x", [1, 8]),
            pb.node("enter", "Enter", ["x"]),
            pb.node("merge", "Merge", ["enter", "next"]),
            pb.const("ten", [], [10.0], dtype=1),
            pb.node("less", "Less", ["merge", "ten"]),
            pb.node("cond", "LoopCond", ["less"]),
            pb.node("switch", "Switch", ["merge", "cond"]),
            pb.node("identity", "Identity", ["switch:1"]),
            pb.node("body", "Relu", ["identity"]),
            pb.node("next", "NextIteration", ["body"]),
            pb.node("y", "Exit", ["switch"]),
        )


VOLUME = [1, 8, 16, 16, 4]


@pytest.mark.parametrize("data_format", ["NDHWC", "NCDHW"])
@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "canonical", "shape"),
    [
        ("MaxPool3D", {"ksize": [2, 2, 2], "padding": "VALID"}, ["x"], "maxpool3d", (1, 4, 8, 8, 4)),
        ("AvgPool3D", {"ksize": [3, 3, 3], "padding": "SAME"}, ["x"], "avgpool3d", (1, 4, 8, 8, 4)),
        ("Conv3D", {"padding": "SAME"}, ["x", "w"], "conv3d", (1, 4, 8, 8, 6)),
        (
            "Conv3DBackpropInputV2",
            {"padding": "SAME"},
            ["s", "wt", "x"],
            "convtranspose3d",
            (1, 16, 32, 32, 6),
        ),
    ],
)
def test_volumes(
    tmp_path: Path,
    data_format: str,
    op: str,
    attrs: dict[str, Any],
    inputs: list[str],
    canonical: str,
    shape: tuple[int, ...],
) -> None:
    def five(values: list[int], channels: int = 1) -> list[int]:
        return [1, *values, channels] if data_format == "NDHWC" else [1, channels, *values]

    attrs = {key: five(value) if key == "ksize" else value for key, value in attrs.items()}
    graph = built(
        tmp_path,
        pb.placeholder("x", five(VOLUME[1:4], 4)),
        pb.const("w", [3, 3, 3, 4, 6], dtype=1),
        pb.const("wt", [3, 3, 3, 6, 4], dtype=1),
        pb.const("s", [5], five([16, 32, 32], 6)),
        pb.node("y", op, inputs, strides=five([2, 2, 2]), data_format=data_format, **attrs),
    )
    last = graph[graph.outputs[0]]
    assert (last.op, last.shape) == (canonical, shape)
    assert [node.op for node in graph] == ["input", canonical]
    (kernel,) = detect(graph, load_rules("cortexA76cpu_tflite21"))
    macs = {
        "maxpool3d": 1 * 8 * 16 * 16 * 4,
        "avgpool3d": 1 * 8 * 16 * 16 * 4,
        "conv3d": 4 * 8 * 8 * 6 * 27 * 4,
        "convtranspose3d": 8 * 16 * 16 * 4 * 27 * 6,
    }
    assert cost(kernel.spec).macs == macs[canonical]
    assert load_document(json.loads(json.dumps(to_document(graph)))) == graph


@pytest.mark.parametrize(
    ("nodes", "error", "message"),
    [
        (
            [pb.const("w", [3, 3, 3, 7, 6], dtype=1), pb.node("y", "Conv3D", ["x", "w"], strides=[1] * 5)],
            GraphError,
            "takes a volume of 5 dimensions",
        ),
        ([pb.node("y", "Frobnicate", ["x"])], UnsupportedOpError, r"'y' \(Frobnicate\).*not known"),
        ([pb.node("y", "Relu", ["nobody"])], GraphError, "'nobody', which no node makes"),
        (
            [pb.node("y", "Relu", ["z"]), pb.node("z", "Relu", ["y"]), pb.node("o", "Relu", ["y"])],
            GraphError,
            "cycle",
        ),
        (
            [pb.node("s", "Switch", ["x", "x"]), pb.node("y", "Relu", ["s"])],
            UnsupportedOpError,
            "depends on data",
        ),
        ([pb.node("y", "Enter", ["x"]), pb.node("z", "Relu", ["y"])], UnsupportedOpError, "loop"),
        ([pb.node("y", "While", ["x"])], ModelFormatError, "'y'.*calls the function ''"),
        ([pb.node("y", "TensorListStack", ["x"])], GraphError, "'y'.*expected a list of tensors"),
        (
            [pb.node("y", "PartitionedCall", ["x"], f=(10, pb.field(1, "f")))],
            ModelFormatError,
            "function 'f'",
        ),
        ([pb.node("y", "Conv2D", ["x"])], GraphError, "'y'.*lacks its input 1"),
        (
            [pb.const("w", [3, 3, 7, 8], dtype=1), pb.node("y", "Conv2D", ["x", "w"])],
            GraphError,
            "'y'.*do not fit 3 channels",
        ),
        ([pb.const("t", [2], [7, 7]), pb.node("y", "Reshape", ["x", "t"])], GraphError, "'y'.*can't reshape"),
        (
            [pb.placeholder("big", [1, 2**31 - 1]), pb.node("y", "Unpack", ["big"], axis=1)],
            GraphError,
            "'y'.*at most 4096",
        ),
        ([pb.node("y", "Relu", ["x:3"])], UnsupportedOpError, "output 3 of node 'x'"),
    ],
)
def test_bad_graphs(tmp_path: Path, nodes: list[bytes], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        built(tmp_path, pb.placeholder("x", [1, 8, 8, 3]), *nodes)
    assert "\n" not in str(caught.value)
    assert "model.pb" in str(caught.value)


def looped(tmp_path: Path, last: str) -> Graph:
    """Return a layer that runs over the three rows of its input, up to the row that is called `last`."""
    names = ["i", "rows", "done", "end"]
    condition = pb.function("cond", names, {"r": "less:z:0"}, pb.node("less", "Less", ["i", "end"]))
    body = pb.function(
        "body",
        names,
        {"i_": "next:z:0", "rows_": "rows", "done_": "set:output_handle:0", "end_": "end"},
        pb.const("one", [], [1]),
        pb.const("w", [4, 8], dtype=1),
        pb.node("row", "TensorListGetItem", ["rows", "i", "one:output:0"]),
        pb.node("fc", "MatMul", ["row:item:0", "w:output:0"]),
        pb.node("set", "TensorListSetItem", ["done", "i", "fc:product:0"]),
        pb.node("next", "AddV2", ["i", "one:output:0"]),
    )
    functions = {"cond": (10, pb.field(1, "cond")), "body": (10, pb.field(1, "body"))}
    return built(
        tmp_path,
        pb.placeholder("x", [3, 1, 4]),
        pb.const("zero", [], [0]),
        pb.const("three", [], [3]),
        pb.node("size", "Cast", ["x"]),
        pb.node("rows", "TensorListFromTensor", ["x", "zero"]),
        pb.node("none", "TensorListReserve", ["zero", "three"]),
        pb.node("while", "While", ["zero", "rows", "none", last], **functions),
        pb.node("y", "TensorListStack", ["while:2", "zero"]),
        functions=[condition, body],
    )


def test_loops_of_a_known_count_are_unrolled(tmp_path: Path) -> None:
    graph = looped(tmp_path, "three")
    ops = Counter(node.op for node in graph)
    assert ops == {"input": 1, "gather": 3, "fc": 3, "stack": 1}
    assert graph.shape(graph.outputs[-1]) == (3, 1, 8)
    with pytest.raises(UnsupportedOpError, match="as often as its data say"):
        looped(tmp_path, "size")
    with pytest.raises(GraphError, match="tensors of one shape that are all written"):
        looped(tmp_path, "zero")


def test_the_first_turn_of_a_loop_costs_what_the_others_do(tmp_path: Path) -> None:
    names = ["i", "x", "h", "end"]
    condition = pb.function("cond", names, {"r": "less:z:0"}, pb.node("less", "Less", ["i", "end"]))
    body = pb.function(
        "body",
        names,
        {"i_": "next:z:0", "x_": "x", "h_": "sum:z:0", "end_": "end"},
        pb.const("one", [], [1]),
        pb.const("u", [8, 8], dtype=1),
        pb.node("product", "MatMul", ["h", "u:output:0"]),
        pb.node("sum", "AddV2", ["product:product:0", "x"]),
        pb.node("next", "AddV2", ["i", "one:output:0"]),
    )
    functions = {"cond": (10, pb.field(1, "cond")), "body": (10, pb.field(1, "body"))}
    graph = built(
        tmp_path,
        pb.placeholder("x", [1, 8]),
        pb.const("zero", [], [0]),
        pb.const("three", [], [3]),
        pb.const("h", [1, 8], dtype=1),
        pb.node("while", "While", ["zero", "x", "h", "three"], **functions),
        pb.node("y", "Relu", ["while:2"]),
        functions=[condition, body],
    )
    assert Counter(node.op for node in graph) == {"input": 2, "fc": 3, "add": 3, "relu": 1}


def test_state_that_a_model_keeps_is_an_input(tmp_path: Path) -> None:
    cell = pb.function(
        "cell",
        ["x", "state", "weights"],
        {"r": "y:y:0"},
        pb.node("before", "ReadVariableOp", ["state"]),
        pb.node("u", "ReadVariableOp", ["weights"]),
        pb.const("w", [4, 8], dtype=1),
        pb.node("a", "MatMul", ["x", "w:output:0"]),
        pb.node("b", "MatMul", ["before:value:0", "u:value:0"]),
        pb.node("row", "Squeeze", ["b:product:0"]),
        pb.node("sum", "BiasAdd", ["a:product:0", "row:output:0"]),
        pb.node("y", "Tanh", ["sum:z:0"]),
        pb.node("after", "AssignVariableOp", ["state", "y:y:0"]),
    )
    graph = built(
        tmp_path,
        pb.placeholder("x", [1, 4]),
        pb.node("h", "VarHandleOp", shape=(7, pb.shape([1, 8]))),
        pb.node("u", "VarHandleOp", shape=(7, pb.shape([8, 8]))),
        pb.node("y", "StatefulPartitionedCall", ["x", "h", "u"], f=(10, pb.field(1, "cell"))),
        functions=[cell],
    )
    ops = Counter(node.op for node in graph)
    assert ops == {"input": 2, "fc": 2, "reshape": 1, "add": 1, "tanh": 1}
    assert [one.shape for one in graph.inputs] == [(1, 4), (1, 8)]


@pytest.mark.parametrize(("order", "shape"), [("NHWC", (1, 8, 8, 3)), ("NCHW", (1, 3, 8, 8))])
def test_a_bias_that_depends_on_data_is_a_sum(tmp_path: Path, order: str, shape: tuple[int, ...]) -> None:
    graph = built(
        tmp_path,
        pb.placeholder("x", shape),
        pb.placeholder("b", [3]),
        pb.node("y", "BiasAdd", ["x", "b"], data_format=order),
    )
    assert Counter(node.op for node in graph)["add"] == 1
    assert graph.shape(graph.outputs[0]) == (1, 8, 8, 3)


def test_functions_that_call_themselves(tmp_path: Path) -> None:
    again = pb.function(
        "f", ["a"], {"r": "c:output:0"}, pb.node("c", "PartitionedCall", ["a"], f=(10, pb.field(1, "f")))
    )
    with pytest.raises(ModelFormatError, match="call each other"):
        built(
            tmp_path,
            pb.placeholder("x", [1]),
            pb.node("y", "PartitionedCall", ["x"], f=(10, pb.field(1, "f"))),
            functions=[again],
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "no TensorFlow model"),
        (b"\x0a\xff\xff\xff\x7fabc", "no TensorFlow model"),
        (b"{}", "no TensorFlow model"),
        (b"\x08\x01", "no TensorFlow model.*holds no graph"),
        (pb.graph(pb.const("c", [1])), "nothing to predict"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(content)
    with pytest.raises(ModelFormatError, match=message) as caught:
        load(file)
    assert str(file) in str(caught.value)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="nowhere"):
        load(tmp_path / "nowhere.pb")
    with pytest.raises(ModelFormatError, match=r"saved_model\.pb"):
        load(tmp_path)
    with pytest.raises(ModelFormatError, match="got a dict"):
        load({})  # type: ignore[arg-type]


def test_damaged_files_raise_nothing_else(models: dict[str, Path], tmp_path: Path) -> None:
    source = random.Random(0)
    file = tmp_path / "model.pb"
    refused = 0
    for name in ("tf1_frozen", "ops_frozen", "transformer_frozen"):
        whole = models[name].read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            for _ in range(source.choice([1, 4])):
                data[source.randrange(len(data))] = source.randrange(256)
            if source.random() < 0.2:
                del data[source.randrange(len(data)) :]
            file.write_bytes(data or b"\0")
            try:
                load(file)
            except PredictorError:
                refused += 1
    assert refused > 150


def test_shapes_of_several_inputs_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "model.pb"
    nodes = [pb.placeholder("a", [-1, -1]), pb.placeholder("b", [-1, -1]), pb.const("axis", [], [1])]
    file.write_bytes(pb.graph(*nodes, pb.node("y", "ConcatV2", ["b", "a", "axis"])))
    for given in ([(2, 3), (2, 5)], {"b": (2, 5), "a": (2, 3)}):
        graph = load(file, input_shape=given)
        assert (graph["a"].shape, graph["b"].shape, graph["y"].shape) == ((2, 3), (2, 5), (2, 8))
    with pytest.raises(ModelFormatError, match="names 'c'"):
        load(file, input_shape={"a": (2, 3), "b": (2, 5), "c": (1,)})


def test_functions_with_many_arguments_are_bounded(tmp_path: Path) -> None:
    names = [f"a{index}" for index in range(1000)]
    functions = [pb.function("f0", names, {"r": "c:output:0"}, pb.node("c", "Relu", names[:1]))]
    for level in range(1, 30):
        # Each calls the one before twice, which makes a thousand million calls in all.
        calls = [
            pb.node("c", f"f{level - 1}", names),
            pb.node("d", f"f{level - 1}", ["c:output:0", *names[1:]]),
        ]
        functions.append(pb.function(f"f{level}", names, {"r": "d:output:0"}, *calls))
    call = pb.node("y", "f29", ["x"] * 1000)
    with pytest.raises(ModelFormatError, match="more than 200000 nodes with its functions inlined"):
        built(tmp_path, pb.placeholder("x", [1, 4]), call, functions=functions)
