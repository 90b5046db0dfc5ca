"""Real TensorFlow Lite models become the right Graph: shapes, multiply-accumulates, kernels, milliseconds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tflite_macs import RanOp, ops_macs
from predictor_core import load_latency_predictor, model_file_to_graph
from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.common.values import AS_FLOAT
from predictor_core.frontends.nnmeter_ir import load as load_document
from predictor_core.frontends.tensorflow import load as load_tensorflow
from predictor_core.frontends.tflite import load
from predictor_core.fusion import detect
from predictor_core.ir.graph import Graph
from tests.devices import DEVICES
from tests.predictor_core.frontends.tflite.conftest import FIXTURES
from tests.predictor_core.frontends.tflite.flat import model as flatbuffer

Models = Callable[[str], Path]

NAMES = sorted(
    file.name.removesuffix(".tflite.gz")
    for file in (FIXTURES / "tflite").glob("*.tflite.gz")
    if not file.name.startswith("written_")
)
OPEN = {"mobilenet_v3_small": (1, 3, 224, 224), "open_shape": (1, 32, 24, 3)}
#: Which branch or how many turns: only the data tell.
REFUSED = {"branches", "data_loop"}
READ = [name for name in NAMES if name not in REFUSED]
#: Files whose first subgraph calls others: the interpreter lists the ops of the first alone.
SUBGRAPHS = {"bidirectional_lstm", "fused_lstm", "gru", "loop", "lstm", "signatures"}
#: What the converters of TensorFlow and torch make of one architecture.
#: How many kernels the converter really changed, and how far off that is at most. It folds the
#: normalisation of the input into the conv behind it (efficientnet_b0), and has an op for PReLU and a bias
#: for each conv (decoder).
CHANGED = {"efficientnet_b0": (3, 0.02), "decoder": (8, 0.15)}
KERAS = ["mobilenet_v2", "mobilenet_v3_small", "resnet50", "efficientnet_b0", "transformer", "decoder"]


def read(model: Models, name: str) -> Graph:
    return load(model(name), input_shape=OPEN.get(name))


def unnamed(graph: Graph) -> list[Any]:
    """Nodes without their names: op, attributes, shapes, and which nodes they read."""
    place = {name: index for index, node in enumerate(graph) for name in node.tensors}
    return [
        (node.op, dict(node.attrs), node.outputs, [place[name] for name in node.inputs]) for node in graph
    ]


@cache
def predictor(device: str) -> Any:
    return load_latency_predictor(device)


@pytest.mark.parametrize("name", READ)
def test_every_fixture_is_read_and_written(model: Models, name: str) -> None:
    graph = read(model, name)
    document = model_file_to_graph(model(name), "tflite", input_shape=OPEN.get(name))
    assert load_document(json.loads(json.dumps(document))) == graph


def macs(graph: Graph) -> int:
    """Multiply-accumulates of the nodes of a Graph."""
    total = 0
    for node in graph:
        before = graph.input_shapes(node)
        if node.op in ("conv", "dwconv"):
            total += prod(node.shape) * prod(node.attrs["kernel"]) * before[0][-1] // node.attrs["groups"]
        elif node.op == "convtranspose":
            total += prod(before[0]) * prod(node.attrs["kernel"]) * node.shape[-1]
        elif node.op == "conv3d":
            total += prod(node.shape) * prod(node.attrs["kernel"]) * before[0][-1] // node.attrs["groups"]
        elif node.op == "fc":
            total += prod(node.shape) * before[0][-1]
        elif node.op == "matmul":
            first = node.attrs["const_shape"] if node.attrs.get("const_first") else before[0]
            total += prod(node.shape) * first[-1]
    return total


@pytest.mark.parametrize("name", [name for name in READ if name not in {*OPEN, *SUBGRAPHS, "more_ops"}])
def test_macs_are_those_of_the_interpreters_shapes(
    model: Models, interpreter: dict[str, list[Any]], name: str
) -> None:
    assert macs(read(model, name)) == ops_macs(RanOp(*entry) for entry in interpreter[name])


@pytest.mark.parametrize("name", ["decoder", "mobilenet_v2", "ops", "more_ops", "resnet50", "transformer"])
def test_shapes_are_among_those_of_the_interpreter(
    model: Models, interpreter: dict[str, list[Any]], name: str
) -> None:
    known = {tuple(shape) for _, reads, writes in interpreter[name] for shape in (*reads, *writes) if shape}
    graph = read(model, name)
    foreign = [
        node for node in graph if node.op not in ("reduce_mean", "fc", "slice") and node.shape not in known
    ]
    assert len(foreign) <= 0.1 * len(graph), foreign


@pytest.mark.parametrize("name", KERAS)
def test_a_keras_model_is_what_its_frozen_graph_is(model: Models, name: str) -> None:
    lite = read(model, name)
    frozen = load_tensorflow(model(f"{name}_frozen.pb"), input_shape=OPEN.get(name))
    for device in DEVICES:
        rules = predictor(device).rules
        kernels, expected = (
            Counter(kernel.spec.type for kernel in detect(graph, rules)) for graph in (lite, frozen)
        )
        ms, expected_ms = predictor(device).predict(lite), predictor(device).predict(frozen)
        if name in CHANGED:
            differing, off = CHANGED[name]
            assert sum((kernels - expected).values()) + sum((expected - kernels).values()) <= differing
            assert ms == pytest.approx(expected_ms, rel=off)
        else:
            assert kernels == expected
            assert ms == pytest.approx(expected_ms, rel=0.01)


@pytest.mark.parametrize("kind", ["float16", "dynamic", "int8", "int8_whole"])
def test_a_quantised_model_is_costed_as_its_float_original(model: Models, kind: str) -> None:
    quantised = read(model, f"mobilenet_v2_{kind}")
    assert unnamed(quantised) == unnamed(read(model, "mobilenet_v2_float"))
    assert any("quantised" in warning for warning in quantised.warnings) == kind.startswith("int8")


@pytest.mark.parametrize("name", ["decoder", "keyword_spotter"])
def test_other_quantised_models_too(model: Models, name: str) -> None:
    assert Counter(node.op for node in read(model, f"{name}_int8")) == Counter(
        node.op for node in read(model, name)
    )


def test_open_dimensions(model: Models) -> None:
    with pytest.raises(ModelFormatError, match=r"open shape \[\?, \?, \?, 3\]; give input_shape"):
        load(model("open_shape"))
    graph = load(model("open_shape"), input_shape=(2, 64, 48, 3))
    assert graph.inputs[0].shape == (2, 64, 48, 3)
    assert (2, 64, 48, 8) in [node.shape for node in graph if node.op == "resize"]
    assert (2, 3072, 3072) in [node.shape for node in graph]


def test_an_open_batch_is_one_and_the_report_says_so(model: Models) -> None:
    graph = load(model("keyword_spotter_int8"))
    assert graph.inputs[0].shape[0] == 1
    batch, quantised = graph.warnings
    assert batch.endswith("leaves the batch open; 1 is taken (input_shape sets another)")
    assert quantised == AS_FLOAT


@pytest.mark.parametrize("name", ["signatures", "variables"])
def test_a_signature_is_chosen_by_name(model: Models, name: str) -> None:
    encode, decode = (load(model(name), signature=key) for key in ("encode", "decode"))
    assert [node.op for node in encode].count("fc") == 1
    assert [node.op for node in decode].count("fc") == 3
    with pytest.raises(ModelFormatError, match="no signature 'x'; it has: decode, encode"):
        load(model(name), signature="x")


@pytest.mark.parametrize(("is_set", "result"), [(True, 3), (True, 2), (False, 3)])
def test_state_that_a_model_keeps_is_an_input(tmp_path: Path, is_set: bool, result: int) -> None:
    steps = [(142, [], [1]), (143, [1], [2]), (0, [0, 2], [3]), (144, [1, 3], [])]  # handle, read, add, set
    steps = steps if is_set else steps[:3]
    flat = flatbuffer(0, ["main"])
    flat.table("main", "tensors", "in", "result", "operators")
    flat.vector("tensors", ["t"] * 4)
    flat.vector("result", [result])
    flat.vector("codes", [f"code{place}" for place in range(len(steps))])
    flat.vector("operators", [f"operator{place}" for place in range(len(steps))])
    for place, (code, read, written) in enumerate(steps):
        flat.table(f"code{place}", None, None, None, code)
        flat.table(f"operator{place}", place, f"read{place}", f"written{place}")
        flat.vector(f"read{place}", read)
        flat.vector(f"written{place}", written)
    path = tmp_path / "model.tflite"
    path.write_bytes(flat.content())
    graph = load(path)
    assert [node.op for node in graph] == (["input", "input", "add"] if is_set else ["input", "add"])


def test_a_loop_of_known_length_is_unrolled(model: Models) -> None:
    assert Counter(node.op for node in load(model("loop")))["relu"] == 3
    assert Counter(node.op for node in load(model("lstm")))["fc"] >= 12


@pytest.mark.parametrize(
    ("name", "message"), [("branches", "which branch runs"), ("data_loop", "a loop runs as")]
)
def test_control_flow_by_data_is_refused(model: Models, name: str, message: str) -> None:
    with pytest.raises(UnsupportedOpError, match=message):
        load(model(name))


def test_files_that_are_none(model: Models, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    with pytest.raises(ModelFormatError, match="No such file"):
        load(path)
    path.write_bytes(b"\x08\0\0\0ONNX" + bytes(64))
    with pytest.raises(ModelFormatError, match=r"no TensorFlow Lite model: it has b'ONNX' where b'TFL3'"):
        load(path)
    path.write_bytes(b"")
    with pytest.raises(ModelFormatError, match="no TensorFlow Lite model"):
        load(path)
    whole = model("ops").read_bytes()
    for size in (9, 100, 1000, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:size])
        with pytest.raises((ModelFormatError, GraphError)):
            load(path)
    with pytest.raises(ModelFormatError, match="given as the path"):
        load(whole)  # type: ignore[arg-type]
