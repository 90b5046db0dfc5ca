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
from predictor_core.ir.graph import Graph
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


@pytest.mark.parametrize(
    ("nodes", "error", "message"),
    [
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
        ([pb.node("y", "While", ["x"])], UnsupportedOpError, "loop"),
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
