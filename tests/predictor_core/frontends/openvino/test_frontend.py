"""Real OpenVINO IR becomes the Graph that the torch front end makes of the same architecture."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core import load_latency_predictor, model_file_to_graph
from predictor_core.errors import GraphError, ModelFormatError, PredictorError, UnsupportedOpError
from predictor_core.frontends import find
from predictor_core.frontends.nnmeter_ir import load as load_document
from predictor_core.frontends.openvino import load
from predictor_core.fusion import detect
from predictor_core.ir.graph import Graph
from tests.devices import DEVICES
from tests.predictor_core.frontends.openvino.conftest import FIXTURES
from tests.predictor_core.frontends.openvino.ir import layer, net
from tests.torchvision_shim import import_torchvision

Models = Callable[[str], Path]

NAMES = sorted(
    file.name.removesuffix(".xml.gz")
    for file in FIXTURES.glob("*.xml.gz")
    if not file.name.startswith("body_")
)
OTHERS = {"decoder", "mobilenet_v2_int8", "recurrent"}
#: What the converter really changed, and how far off that is at most: attention without its last reshape.
CHANGED = {"vit_b_32": 0.03, "swin_t": 0.05}
ARCHITECTURES = [name for name in NAMES if name not in OTHERS]


@cache
def predictor(device: str) -> Any:
    return load_latency_predictor(device)


def read(model: Models, name: str) -> Graph:
    return load(model(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_is_read_and_written(model: Models, name: str) -> None:
    graph = read(model, name)
    document = model_file_to_graph(model(name), "openvino")
    again = load_document(json.loads(json.dumps(document)))
    assert Counter(node.op for node in again) == Counter(node.op for node in graph)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_same_kernels_and_milliseconds_as_the_torch_module(model: Models, name: str) -> None:
    import_torchvision()
    from predictor_core.frontends.torch import torchvision as frontend

    graph = read(model, name)
    _, height, width, channels = graph.inputs[0].shape
    module = frontend.build(name.removeprefix("v10_"))
    direct = find("torch")(module, input_shape=(1, channels, height, width), via="direct")
    for device in DEVICES:
        rules = predictor(device).rules
        kernels, expected = (
            Counter(kernel.spec.type for kernel in detect(one, rules)) for one in (graph, direct)
        )
        assert kernels == expected or name in CHANGED
        ms, expected_ms = predictor(device).predict(graph), predictor(device).predict(direct)
        assert ms == pytest.approx(expected_ms, rel=CHANGED.get(name, 0.01))


def test_a_quantised_model_is_costed_as_its_float_original(model: Models) -> None:
    quantised, original = read(model, "mobilenet_v2_int8"), read(model, "mobilenet_v2")
    assert [node.op for node in quantised] == [node.op for node in original]
    for device in DEVICES:
        assert predictor(device).predict(quantised) == pytest.approx(
            predictor(device).predict(original), rel=1e-6
        )


def test_attention_is_the_products_that_it_stands_for(model: Models) -> None:
    """The converter writes it as one layer, with heads (batch, heads, length, width) and without."""
    ops = Counter(node.op for node in read(model, "decoder"))
    assert (ops["matmul"], ops["softmax"]) == (2, 1)
    for name in ("decoder", "vit_b_32"):
        assert "ScaledDotProductAttention" not in {node.op for node in read(model, name)}


RELU = [
    layer(0, "Parameter", [], [(1, 3, 8, 8)], shape="1,3,8,8", element_type="f32"),
    layer(1, "ReLU", [(1, 3, 8, 8)], [(1, 3, 8, 8)]),
    layer(2, "Result", [(1, 3, 8, 8)], []),
]
EDGES = [(0, 0, 1, 0), (1, 1, 2, 0)]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "model.xml"
    path.write_text(text)
    return path


def test_open_dimensions(tmp_path: Path) -> None:
    shape = (-1, 3, -1, -1)
    layers = [
        layer(0, "Parameter", [], [shape], shape="?,3,?,?", element_type="f32"),
        layer(1, "Const", [], [(8, 3, 3, 3)], element_type="f32", shape="8,3,3,3"),
        layer(
            2, "Convolution", [shape, (8, 3, 3, 3)], [(-1, 8, -1, -1)], strides="2,2", auto_pad="same_upper"
        ),
        layer(3, "Result", [shape], []),
    ]
    path = written(tmp_path, net(layers, [(0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0)]))
    with pytest.raises(ModelFormatError, match=r"open shape \[\?, 3, \?, \?\]; give input_shape"):
        load(path)
    graph = load(path, input_shape=(2, 3, 65, 96))
    assert graph["Convolution_2"].shape == (2, 33, 48, 8)


def test_an_open_batch_is_one_and_the_report_says_so(tmp_path: Path) -> None:
    shape = (-1, 3, 8, 8)
    layers = [
        layer(0, "Parameter", [], [shape], shape="?,3,8,8", element_type="f32"),
        layer(1, "ReLU", [shape], [shape]),
        layer(2, "Result", [shape], []),
    ]
    graph = load(written(tmp_path, net(layers, EDGES)))
    assert graph["Parameter_0"].shape == (1, 8, 8, 3)
    (warning,) = graph.warnings
    assert warning == "input 'Parameter_0' leaves the batch open; 1 is taken (input_shape sets another)"


@pytest.mark.parametrize(
    ("between", "also_read", "constant", "biased"),
    [
        ("", False, (1, 8, 1, 1), True),
        # A scalar may be part of an activation; it is folded only where it is none.
        ("", False, (1,), True),
        ("", False, (1, 8, 6, 6), False),
        # Something else reads the conv without the constant.
        ("", True, (1, 8, 1, 1), False),
        ("Convert", True, (1, 8, 1, 1), False),
    ],
)
def test_a_constant_of_each_channel_behind_a_conv_is_its_bias(
    tmp_path: Path, between: str, also_read: bool, constant: tuple[int, ...], biased: bool
) -> None:
    x, weights, y = (1, 3, 8, 8), (8, 3, 3, 3), (1, 8, 6, 6)
    windows = {"strides": "1,1", "dilations": "1,1", "pads_begin": "0,0", "pads_end": "0,0"}
    layers = [
        layer(0, "Parameter", [], [x], shape="1,3,8,8"),
        layer(1, "Const", [], [weights], element_type="f32", shape="8,3,3,3", offset="0", size="864"),
        layer(2, "Convolution", [x, weights], [y], **windows),
        layer(3, "Convert", [y], [y], destination_type="f32"),
        layer(4, "Const", [], [constant], element_type="f32", offset="864", size="32"),
        layer(5, "Add", [y, constant], [y]),
        layer(6, "Result", [y], []),
        layer(7, "Sigmoid", [y], [y]),
        layer(8, "Result", [y], []),
    ]
    edges = [(0, 0, 2, 0), (1, 0, 2, 1), (4, 0, 5, 1), (5, 2, 6, 0)]
    edges += [(2, 2, 3, 0), (3, 1, 5, 0)] if between else [(2, 2, 5, 0)]
    edges += [(2, 2, 7, 0), (7, 1, 8, 0)] if also_read else []
    keep = [one for index, one in enumerate(layers) if (index != 3 or between) and (index < 7 or also_read)]
    path = tmp_path / "model.xml"
    path.write_text(net(keep, edges))
    graph = load(path)
    assert [node.attrs["bias"] for node in graph if node.op == "conv"] == [biased]
    assert any(node.op == "add" for node in graph) is not biased


def test_layers_in_any_order_are_sorted(tmp_path: Path) -> None:
    graph = load(written(tmp_path, net(RELU[::-1], EDGES)))
    assert [node.op for node in graph] == ["input", "relu"]
    assert graph.inputs[0].shape == (1, 8, 8, 3)


def test_small_constants_of_the_bin_are_read_where_it_is_there(tmp_path: Path) -> None:
    shape = (1, 4, 4, 4)
    layers = [
        layer(0, "Parameter", [], [shape], shape="1,4,4,4", element_type="f32"),
        layer(1, "Const", [], [(4,)], element_type="i64", shape="4", offset="16", size="32"),
        layer(2, "Transpose", [shape, (4,)], [shape]),
        layer(3, "Result", [shape], []),
    ]
    path = written(tmp_path, net(layers, [(0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0)]))
    assert load(path)["Transpose_2"].attrs["perm"] == (0, 2, 1, 3)
    path.with_suffix(".bin").write_bytes(bytes(16) + np.array([0, 3, 2, 1], np.int64).tobytes())
    assert load(path)["Transpose_2"].attrs["perm"] == (0, 3, 2, 1)
    path.with_suffix(".bin").write_bytes(bytes(20))
    assert load(path)["Transpose_2"].attrs["perm"] == (0, 2, 1, 3)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ModelFormatError, "does not start as XML"),
        ("<net", ModelFormatError, "no OpenVINO IR"),
        ("<model/>", ModelFormatError, "its root is <model>, expected <net>"),
        ('<net version="6"><layers/></net>', ModelFormatError, "version 6; versions 7, 10, 11 can be read"),
        ('<net version="x"/>', GraphError, "the version should be an integer, got 'x'"),
        ('<net version="11"/>', ModelFormatError, "lacks its <layers>"),
        ('<!DOCTYPE net [<!ENTITY a "a">]><net version="11"/>', ModelFormatError, "entities are refused"),
        ('<?xml version="1.0" encoding="cp037"?><net/>', ModelFormatError, "encoded in cp037"),
        (net(RELU, [(0, 0, 1, 0), (0, 0, 1, 0), (1, 1, 2, 0)]), GraphError, "has two sources"),
        (net(RELU, [(1, 1, 1, 0), (1, 1, 2, 0)]), GraphError, "a cycle through or before layer"),
        (net(RELU, [(9, 0, 1, 0), (1, 1, 2, 0)]), GraphError, "reads layer '9', which is not there"),
        (net(RELU, [(0, 7, 1, 0), (1, 1, 2, 0)]), GraphError, "output 7 of layer '0'"),
        (net([RELU[0], RELU[0]], []), GraphError, "ids must be unique"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, error: type[PredictorError], message: str) -> None:
    with pytest.raises(error, match=message) as found:
        load(written(tmp_path, text))
    assert len(str(found.value).splitlines()) == 1


def test_dimensions_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    text = '<net version="11"><layers><layer id="0" type="Parameter"><output><port id="0"><dim>{}</dim>'
    path.write_bytes(text.encode().replace(b"{}", b"\xff"))
    with pytest.raises(ModelFormatError, match="no OpenVINO IR"):
        load(path)


def test_white_space_between_dimensions_is_free(model: Models, tmp_path: Path) -> None:
    """What OpenVINO writes between dimensions is looked for as it writes it."""
    path = model("mobilenet_v2")
    written_so, expected = path.read_text(), load(path)
    for name, text in (
        ("dos", written_so.replace("\n", "\r\n")),
        ("some", written_so.replace("</dim>\n\t\t\t\t</port>", "</dim></port>", 99)),
        ("comment", written_so.replace("\n\t\t\t\t\t<dim>", "<!-- a dimension -->\n\t\t\t\t\t<dim>", 9)),
    ):
        other = tmp_path / f"{name}.xml"
        other.write_bytes(text.encode())
        assert load(other).nodes == expected.nodes


def test_an_error_names_the_line_of_the_file(model: Models, tmp_path: Path) -> None:
    lines = model("mobilenet_v2").read_text().split("\n")
    lines[200] = "<<"
    with pytest.raises(ModelFormatError, match=r"not well-formed .*: line 201, column 1"):
        load(written(tmp_path, "\n".join(lines)))


def test_a_port_of_endless_dimensions(tmp_path: Path) -> None:
    text = net(RELU, [(0, 0, 1, 0), (1, 1, 2, 0)])
    with pytest.raises(ModelFormatError, match="the dimensions of a port take more than 4096 bytes"):
        load(written(tmp_path, text.replace("<dim>", "<dim>1</dim><!-- -->" * 5000 + "<dim>", 1)))


def test_an_empty_state_takes_no_time(tmp_path: Path) -> None:
    """The cache of a decoder has no elements when the first tokens are read."""
    x, empty, state = (1, 4, 5, 16), (1, 4, 0, 16), (-1, 4, -1, 16)
    layers = [
        layer(0, "Parameter", [], [x], shape="1,4,5,16", element_type="f32"),
        layer(1, "Const", [], [empty], element_type="f32", shape="1, 4, 0, 16", offset="0", size="0"),
        layer(2, "ReadValue", [empty], [state], version="opset6", variable_id="cache"),
        layer(3, "Sigmoid", [state], [state]),
        layer(4, "Concat", [state, x], [state], axis="2"),
        layer(5, "Assign", [state], [state], version="opset6", variable_id="cache"),
        layer(6, "ReLU", [state], [state]),
        layer(7, "Result", [state], []),
    ]
    edges = [(1, 0, 2, 0), (2, 1, 3, 0), (3, 1, 4, 0), (0, 0, 4, 1), (4, 2, 5, 0), (4, 2, 6, 0), (6, 1, 7, 0)]
    graph = load(written(tmp_path, net(layers, edges)))
    assert [node.op for node in graph] == ["input", "relu"]


def test_a_state_is_an_input(tmp_path: Path) -> None:
    shape = (1, 16)
    layers = [
        layer(0, "Parameter", [], [shape], shape="1,16", element_type="f32"),
        layer(1, "Const", [], [shape], element_type="f32", shape="1, 16", offset="0", size="64"),
        layer(2, "ReadValue", [shape], [shape], version="opset6", variable_id="h"),
        layer(3, "Sigmoid", [shape], [shape]),
        layer(4, "Add", [shape, shape], [shape]),
        layer(5, "Assign", [shape], [shape], version="opset6", variable_id="h"),
        layer(6, "Result", [shape], []),
    ]
    edges = [(1, 0, 2, 0), (2, 1, 3, 0), (3, 1, 4, 0), (0, 0, 4, 1), (4, 2, 5, 0), (4, 2, 6, 0)]
    graph = load(written(tmp_path, net(layers, edges)))
    assert [node.op for node in graph] == ["input", "input", "sigmoid", "add"]
    # What is kept is computed, whatever is returned.
    graph = load(written(tmp_path, net(layers, [*edges[:-1], (3, 1, 6, 0)])))
    assert [node.op for node in graph] == ["input", "input", "sigmoid", "add"]


@pytest.mark.parametrize("batch", [None, 4])
def test_an_open_batch_without_the_bin(tmp_path: Path, batch: int | None) -> None:
    """The converter leaves the batch of all stated shapes open; pads and targets are in the absent .bin."""
    x, padded, last, flat = (-1, 3, 8, 8), (-1, 3, 9, 9), (-1, 9, 9, 3), (-1, 243)
    layers = [
        layer(0, "Parameter", [], [x], shape="?,3,8,8", element_type="f32"),
        layer(1, "Const", [], [(4,)], element_type="i64", shape="4", offset="0", size="32"),
        layer(2, "Pad", [x, (4,), (4,)], [padded], pad_mode="constant"),
        layer(3, "Transpose", [padded, (4,)], [last]),
        layer(4, "Reshape", [last, (2,)], [flat], special_zero="true"),
        layer(5, "Const", [], [(2,)], element_type="i64", shape="2", offset="32", size="16"),
        layer(6, "Result", [flat], []),
    ]
    edges = [(0, 0, 2, 0), (1, 0, 2, 1), (1, 0, 2, 2), (2, 3, 3, 0), (1, 0, 3, 1)]
    edges += [(3, 2, 4, 0), (5, 0, 4, 1), (4, 2, 6, 0)]
    path = written(tmp_path, net(layers, edges))
    graph = load(path) if batch is None else load(path, input_shape=(batch, 3, 8, 8))
    count = batch or 1
    assert [(node.op, node.shape) for node in graph] == [
        ("input", (count, 3, 8, 8)),
        ("pad", (count, 3, 9, 9)),
        ("transpose", (count, 9, 9, 3)),
        ("reshape", (count, 243)),
    ]


def test_a_batch_that_depends_on_data_stays_open(tmp_path: Path) -> None:
    layers = [
        layer(0, "Parameter", [], [(4, 4)], shape="4,4", element_type="f32"),
        layer(1, "NonZero", [(4, 4)], [(2, -1)], output_type="i64"),
        layer(2, "Result", [(2, -1)], []),
    ]
    with pytest.raises(UnsupportedOpError, match="its stated shape is open"):
        load(written(tmp_path, net(layers, [(0, 0, 1, 0), (1, 1, 2, 0)])))


def test_a_loop_of_known_length_is_unrolled(tmp_path: Path) -> None:
    """A TensorIterator hands its input out step by step, and adds what it has so far."""
    body = net(
        [
            layer(0, "Parameter", [], [(1, 1, 4)], shape="1,1,4", element_type="f32"),
            layer(1, "Parameter", [], [(1, 1, 4)], shape="1,1,4", element_type="f32"),
            layer(2, "Add", [(1, 1, 4), (1, 1, 4)], [(1, 1, 4)]),
            layer(3, "Result", [(1, 1, 4)], []),
        ],
        [(0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0)],
        tag="body",
    )
    maps = """
    <port_map>
      <input external_port_id="0" internal_layer_id="0" axis="1" part_size="1"/>
      <input external_port_id="1" internal_layer_id="1"/>
      <output external_port_id="2" internal_layer_id="3" axis="1"/>
    </port_map>
    <back_edges><edge from-layer="3" to-layer="1"/></back_edges>"""
    layers = [
        layer(0, "Parameter", [], [(1, 5, 4)], shape="1,5,4", element_type="f32"),
        layer(1, "Parameter", [], [(1, 1, 4)], shape="1,1,4", element_type="f32"),
        layer(2, "TensorIterator", [(1, 5, 4), (1, 1, 4)], [(1, 5, 4)], inside=maps + body),
        layer(3, "Result", [(1, 5, 4)], []),
    ]
    edges = [(0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0)]
    graph = load(written(tmp_path, net(layers, edges)))
    assert Counter(node.op for node in graph) == {"input": 2, "slice": 5, "add": 5, "concat": 1}
    # The first turn reads a state, too, where that begins with zeros of the file.
    zeros = layer(1, "Const", [], [(1, 1, 4)], element_type="f32", shape="1,1,4", offset="0", size="16")
    begun = load(written(tmp_path, net([layers[0], zeros, *layers[2:]], edges)))
    assert [node.op for node in begun if len(node.inputs) == 2] == ["add"] * 5
    unknown = layer(2, "Loop", [(1, 5, 4), (1, 1, 4)], [(1, 5, 4)], inside=maps + body)
    with pytest.raises(UnsupportedOpError, match="a loop runs as often as its data say"):
        load(written(tmp_path, net([*layers[:2], unknown, layers[3]], edges)))


@pytest.mark.parametrize(
    ("kind", "reduction", "op"),
    [
        ("EmbeddingBagOffsets", "sum", "reduce_sum"),
        ("EmbeddingBagOffsets", "mean", "reduce_mean"),
        ("EmbeddingBagOffsetsSum", "", "reduce_sum"),
    ],
)
def test_a_bag_of_embeddings_is_its_rows_and_their_sum(
    tmp_path: Path, kind: str, reduction: str, op: str
) -> None:
    layers = [
        layer(0, "Parameter", [], [(28,)], shape="28", element_type="i64"),
        layer(1, "Const", [], [(50, 16)], element_type="f32", shape="50, 16", offset="0", size="3200"),
        layer(2, "Const", [], [(4,)], element_type="i64", shape="4", offset="3200", size="32"),
        layer(3, kind, [(50, 16), (28,), (4,)], [(4, 16)], **({"reduction": reduction} if reduction else {})),
        layer(4, "Result", [(4, 16)], []),
    ]
    graph = load(written(tmp_path, net(layers, [(1, 0, 3, 0), (0, 0, 3, 1), (2, 0, 3, 2), (3, 3, 4, 0)])))
    assert [(node.op, node.shape) for node in graph] == [
        ("input", (28,)),
        ("embedding", (4, 7, 16)),
        (op, (4, 16)),
    ]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.xml"
    os.mkfifo(path)
    with pytest.raises(ModelFormatError, match=r"is a pipe, socket or device; expected the \.xml"):
        load(path)
