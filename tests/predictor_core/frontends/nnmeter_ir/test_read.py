"""nn-Meter IR documents of every spelling become the right Graph."""

from __future__ import annotations

import copy
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import ModelFormatError, PredictorError
from predictor_core.frontends.nnmeter_ir import load, read_document


def entry(kind: str, inbounds: list[str] | None = None, output: Any = None, **attrs: Any) -> dict[str, Any]:
    attr: dict[str, Any] = {"type": kind, "attr": attrs}
    if output is not None:
        attr["output_shape"] = output
    return {"inbounds": inbounds or [], "outbounds": [], "attr": attr}


def image(*shape: int | None) -> dict[str, Any]:
    return entry("Placeholder", shape=list(shape))


def test_conv_in_tensorflow_spelling() -> None:
    graph = load(
        {
            "x": image(1, 225, 113, 3),
            "c": entry(
                "Conv2D",
                ["x"],
                [[1, 9, 9, 9]],
                padding="SAME",
                strides=[2, 1],
                dilations=[1, 1],
                kernel_shape=[3, 5],
                weight_shape=[3, 5, 3, 16],
                pads=[0, 0, 0, 0],
            ),
        }
    )
    assert graph["c"].op == "conv"
    assert graph["c"].shape == (1, 113, 113, 16)
    assert dict(graph["c"].attrs) == {
        "kernel": (3, 5),
        "strides": (2, 1),
        "pads": (1, 2, 1, 2),
        "dilations": (1, 1),
        "groups": 1,
        "bias": False,
    }


@pytest.mark.parametrize("key", ["ks", "kernel_shape", "ksize", "kernel_size"])
@pytest.mark.parametrize("groups", ["group", "groups"])
def test_conv_in_onnx_spelling(key: str, groups: str) -> None:
    attrs = {key: [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 0], "dilations": [1, 1], groups: 4}
    graph = load({"x": image(2, 56, 56, 8), "c": entry("Conv", ["x"], [[2, 28, 27, 24]], **attrs)})
    assert graph["c"].shape == (2, 28, 27, 24)
    assert graph["c"].attrs["groups"] == 4
    assert graph["c"].attrs["pads"] == (1, 0, 1, 0)
    assert graph["c"].attrs["bias"] is True


@pytest.mark.parametrize(
    ("kind", "attrs", "op"),
    [
        ("DepthwiseConv2dNative", {"weight_shape": [3, 3, 8, 2]}, "dwconv"),
        ("Conv", {"kernel_shape": [3, 3], "group": 8, "out_channels": 16}, "dwconv"),
        ("Conv2D", {"weight_shape": [3, 3, 2, 16]}, "conv"),
    ],
)
def test_grouped_convs(kind: str, attrs: dict[str, Any], op: str) -> None:
    node = load({"x": image(1, 8, 8, 8), "c": entry(kind, ["x"], padding="SAME", **attrs)})["c"]
    assert (node.op, node.shape, node.attrs["groups"]) == (op, (1, 8, 8, 16), 8 if op == "dwconv" else 4)


def test_convs_of_one_channel_are_not_depthwise() -> None:
    attrs = {"weight_shape": [3, 3, 1, 8], "padding": "VALID"}
    for kind in ("Conv2D", "DepthwiseConv2dNative"):
        node = load({"x": image(1, 8, 8, 1), "c": entry(kind, ["x"], **attrs)})["c"]
        assert (node.op, node.attrs["groups"], node.shape) == ("conv", 1, (1, 6, 6, 8))


def test_printed_shapes_do_not_count_where_they_contradict() -> None:
    graph = load(
        {
            "x": image(1, 14, 14, 32),
            "r": entry("Relu", ["x"], [[1, 32]]),
            "m": entry("Mean", ["r"], [[1, 32]], reduction_indices=[1, 2]),
            "f": entry("Reshape", ["m"], [[-1, 32]], shape=[-1, 32]),
            "d": entry("MatMul", ["f"], [[-1, 10]]),
        }
    )
    assert [node.shape for node in graph] == [(1, 14, 14, 32), (1, 14, 14, 32), (1, 32), (1, 10)]
    assert graph["m"].attrs == {"axes": (1, 2), "keepdims": False}
    assert graph["d"].op == "fc"


def test_printed_shape_counts_where_nothing_can_be_inferred() -> None:
    graph = load({"x": image(4, 8, 8, 3), "n": entry("NotAnOp", ["x"], [[-1, 5, 5, 7]], power=3)})
    assert graph["n"].op == "NotAnOp"
    assert graph["n"].shape == (4, 5, 5, 7)
    assert graph["n"].attrs == {"power": 3}


def test_constants_become_attributes() -> None:
    graph = load(
        {
            "x": image(1, 8, 8, 4),
            "three": entry("Const", output=[[]], tensor_shape=[], constant=[3.0]),
            "vector": entry("Const", output=[[4]], tensor_shape=[4], constant=[1.0, 2.0, 3.0, 4.0]),
            "read": entry("Identity", ["vector"]),
            "add": entry("Add", ["x", "three"]),
            "sub": entry("Sub", ["three", "add"]),
            "mul": entry("Mul", ["sub", "read"]),
        }
    )
    assert graph["add"].attrs == {"const": 3.0}
    assert graph["sub"].attrs == {"const": 3.0, "const_first": True}
    assert graph["mul"].attrs == {"const_shape": (4,)}
    assert graph["mul"].inputs == ("sub",)


def test_weights_may_be_named_without_being_listed() -> None:
    graph = load({"x": image(1, 8, 8, 4), "bn": entry("FusedBatchNorm", ["x", "moving_variance/read"])})
    assert graph["bn"].inputs == ("x",)


def test_axes_of_onnx_documents_are_channels_first() -> None:
    graph = load(
        {
            "x": image(1, 8, 8, 4),
            "a": entry("Conv", ["x"], [[1, 8, 8, 6]], kernel_shape=[1, 1]),
            "b": entry("Conv", ["x"], [[1, 8, 8, 2]], kernel_shape=[1, 1]),
            "cat": entry("Concat", ["a", "b"], [[1, 8, 8, 8]], axis=1),
            "soft": entry("Softmax", ["cat"], axis=1),
            "mean": entry("ReduceMean", ["soft"], axes=[2, 3], keepdims=0),
        }
    )
    assert graph["cat"].attrs == {"axis": 3}
    assert graph["soft"].attrs == {"axis": 3}
    assert graph["mean"].attrs == {"axes": (1, 2), "keepdims": False}


def test_onnx_document_without_placeholder_gets_an_input() -> None:
    node = entry("Conv", [], [[1, 112, 112, 8]], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    node["attr"]["input_shape"] = [[1, 224, 224, 3]]
    graph = load({"c": node})
    assert [(n.op, n.shape) for n in graph] == [("input", (1, 224, 224, 3)), ("conv", (1, 112, 112, 8))]


def test_merged_slices_are_a_split() -> None:
    conv = entry("Conv", [], [[1, 8, 8, 4]], kernel_shape=[1, 1])
    conv["attr"]["input_shape"] = [[1, 8, 8, 3]]
    graph = load(
        {
            "c": conv,
            "slice": entry("Slice", ["c"], [[1, 8, 8, 2], [1, 8, 8, 2]]),
            "a": entry("Relu", ["slice"]),
            "b": entry("Relu", ["slice_1"]),
        }
    )
    assert graph["slice"].op == "split"
    assert (graph["a"].inputs, graph["b"].inputs) == (("slice:0",), ("slice:1",))


def test_outputs_of_a_split_are_told_apart() -> None:
    split = entry("Split", ["x"], [[1, 4, 4, 1], [1, 4, 4, 3]], split_dim=[3], size_splits=[1, 3])
    split["outbounds"] = ["wide", "narrow"]
    wide, narrow = entry("Relu", ["split"]), entry("Relu", ["split"])
    wide["attr"]["input_shape"], narrow["attr"]["input_shape"] = [[1, 4, 4, 3]], [[1, 4, 4, 1]]
    graph = load({"x": image(1, 4, 4, 4), "split": split, "wide": wide, "narrow": narrow})
    assert (graph["wide"].shape, graph["narrow"].shape) == ((1, 4, 4, 3), (1, 4, 4, 1))


def test_order_of_the_document_does_not_matter() -> None:
    document = {"x": image(1, 4, 4, 4), "a": entry("Relu", ["x"]), "b": entry("Tanh", ["a"])}
    assert load(dict(reversed(document.items()))) == load(document)


@pytest.mark.parametrize("given", [(2, 8, 8, 3), (2, 3, 8, 8)])
def test_input_shape_fills_open_dimensions(given: tuple[int, ...]) -> None:
    document = {"x": image(None, -1, -1, 3), "r": entry("Relu", ["x"])}
    assert load(document, input_shape=given)["r"].shape == (2, 8, 8, 3)
    with pytest.raises(ModelFormatError, match="'x' has the open shape"):
        load(document)


def test_input_shape_must_fit() -> None:
    document = {"x": image(1, 8, 8, 3)}
    assert load(document, input_shape=(1, 3, 8, 8))["x"].shape == (1, 8, 8, 3)
    for wrong in [(2, 8, 8, 3), (1, 8, 3), (1, -8, 8, 3), "big"]:
        with pytest.raises(ModelFormatError, match="input_shape"):
            load(document, input_shape=wrong)


def test_open_batch_is_one() -> None:
    assert load({"x": image(-1, 8, 8, 3)})["x"].shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1, 2], "got a list"),
        ({}, "no nodes"),
        ({"a": 3}, "node 'a' has no attr"),
        ({"a": {"attr": {}}}, "node 'a' states no type"),
        ({"a": {"attr": {"type": "Relu"}, "inbounds": "x"}}, "inbounds of node 'a'"),
        ({"a": entry("Relu", ["b"]), "b": entry("Relu", ["a"])}, "cycle through or before node 'a'"),
        ({"x": image(1, -5, 8, 3)}, "input 'x'.*-5"),
        ({"x": image(1, 0, 8, 3)}, "input 'x'"),
        ({"x": image(1, 2**31, 8, 3)}, "input 'x'"),
        ({"x": image(1, 8, 8, 3), "r": entry("Relu", ["nobody"])}, "node 'r'.*'nobody'"),
        ({"x": image(1, 8, 8, 3), "r": entry("NotAnOp", ["x"])}, "node 'r'.*output_shape"),
        ({"x": image(1, 8, 8, 3), "c": entry("Conv2D", ["x"])}, "node 'c'.*kernel size"),
        ({"x": image(1, 8, 8, 3), "c": entry("Conv2D", ["x"], ks=3)}, "node 'c'.*channels are unknown"),
        (
            {"x": image(1, 8, 8, 3), "c": entry("Conv2D", ["x"], weight_shape=[3, 3, 8, 8])},
            "node 'c'.*take 8 channels",
        ),
        (
            {"x": image(1, 4, 4, 3), "c": entry("Conv2D", ["x"], weight_shape=[7, 7, 3, 8])},
            "node 'c'.*does not fit",
        ),
        (
            {"x": image(1, 8, 8, 3), "p": entry("MaxPool", ["x"], ksize="big")},
            "node 'p'.*or 4 of them, got 'big'",
        ),
        ({"x": image(1, 8, 8, 3), "t": entry("Transpose", ["x"], perm=3)}, "node 't'.*can't be read"),
    ],
)
def test_bad_documents_get_one_line_that_names_the_node(document: Any, message: str) -> None:
    with pytest.raises(PredictorError, match=message) as caught:
        load(document)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "no JSON file"),
        (b'{"a": {"attr": {"type": "Placeholder"', "no JSON file"),
        (b"[" * 100_000, "no JSON file"),
        (b'{"a": {"attr": {"type": "x"}}, "a": {"attr": {"type": "x"}}}', "'a' stands twice"),
        (b'{"version": 3}', "no nn-Meter IR"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(content)
    with pytest.raises(ModelFormatError, match=message) as caught:
        read_document(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"nowhere\.json"):
        load(tmp_path / "nowhere.json")


def test_published_documents(shared_data: Path) -> None:
    files = sorted((shared_data / "legacy" / "ir").glob("*.json.gz"))
    assert files
    for file in files[::9]:
        document = json.loads(gzip.decompress(file.read_bytes()))
        before = copy.deepcopy(document)
        graph = load(document)
        assert document == before
        assert graph.nodes[-1].op == "fc" or "squeezenet" in file.name
        assert len(graph.inputs) == 1
        wrong = 0
        for name, node in document.items():
            stated = tuple(node["attr"]["output_shape"][0])
            wrong += name in graph and graph[name].shape != stated and -1 not in stated
        assert wrong <= 12, f"{file.name}: {wrong} shapes differ from what the document states"


def test_damaged_documents_raise_nothing_else(shared_data: Path) -> None:
    whole = read_document(shared_data / "reference" / "mobilenetv3small_0.json")
    document = dict(list(whole.items())[:40])
    paths = [path for path in _paths(document, ()) if path]
    values: list[Any] = [None, -5, 0, 1.5, "x", [], {}, [[]], [None], 2**40, [1, 2, 3], ["a"], float("nan")]
    source = random.Random(0)
    refused = 0
    for path in source.sample(paths, 600):
        damaged = copy.deepcopy(document)
        place: Any = damaged
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = source.choice(values)
        try:
            load(damaged)
        except PredictorError:
            refused += 1
    assert refused > 60


def _paths(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


def onnx_entry(kind: str, inbounds: list[str], shapes: Any, output: Any, **attrs: Any) -> dict[str, Any]:
    node = entry(kind, inbounds, [output], **attrs)
    node["attr"]["input_shape"] = shapes
    return node


def test_channel_shuffle_of_an_onnx_document() -> None:
    image, groups, turned = [1, 28, 28, 116], [1, 2, 58, 28, 28], [1, 58, 2, 28, 28]
    graph = load(
        {
            "a": onnx_entry("Conv", [], [[1, 28, 28, 3]], image, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            "g": onnx_entry("Reshape", ["a"], [image], groups),
            "t": onnx_entry("Transpose", ["g"], [groups], turned, perm=[0, 2, 1, 3, 4]),
            "r": onnx_entry("Reshape", ["t"], [turned], image),
            "b": onnx_entry("Conv", ["r"], [image], [1, 28, 28, 8], kernel_shape=[1, 1]),
        }
    )
    assert [node.op for node in graph] == ["input", "conv", "channelshuffle", "conv"]
    assert graph["r"].attrs == {"groups": 2}


def test_channels_last_detour_of_an_onnx_document() -> None:
    # Every tensor of rank 4 is stated as if it were an image, whatever order it has.
    image, turned = [1, 8, 6, 16], [1, 6, 16, 8]
    graph = load(
        {
            "a": onnx_entry("Conv", [], [[1, 8, 6, 3]], image, kernel_shape=[1, 1]),
            "t": onnx_entry("Transpose", ["a"], [image], turned, perm=[0, 2, 3, 1]),
            "m": onnx_entry("MatMul", ["t"], [turned], [1, 6, 32, 8]),
            "b": onnx_entry("Add", ["m"], [[1, 6, 32, 8]], [1, 6, 32, 8]),
        }
    )
    assert [(node.op, node.shape) for node in graph] == [
        ("input", (1, 8, 6, 3)),
        ("conv", (1, 8, 6, 16)),
        ("fc", (1, 8, 6, 32)),
    ]
    assert graph["m"].attrs == {"bias": True}


def test_convolution_in_one_dimension_of_an_onnx_document() -> None:
    attrs = {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}
    graph = load({"a": onnx_entry("Conv", [], [[2, 12, 50]], [2, 24, 25], **attrs)})
    assert graph["a"].attrs["kernel"] == (3, 1)
    assert graph["a"].attrs["pads"] == (1, 0, 1, 0)
    assert sorted(graph["a"].shape) == sorted((2, 25, 24, *[1] * (len(graph["a"].shape) - 3)))
    assert graph["a"].shape[-1] == 24


def test_axes_tell_in_a_document_with_types_of_onnx_and_an_input() -> None:
    def document(axes: list[int]) -> dict[str, Any]:
        conv = entry("Conv", ["x"], [[1, 8, 8, 6]], kernel_shape=[1, 1])
        return {"x": image(1, 8, 8, 4), "c": conv, "m": entry("ReduceMean", ["c"], [[1, 6]], axes=axes)}

    assert load(document([1, 2])) == load(document([2, 3]))
    assert load(document([1, 2]))["m"].attrs == {"axes": (1, 2), "keepdims": False}


def test_document_of_an_nni_model() -> None:
    image, conv = (
        [1, 8, 8, 6],
        {"ks": [3, 3], "pads": [1, 1], "strides": [1, 1], "group": 2, "out_channels": 6},
    )
    graph = load(
        {
            "a": onnx_entry("conv", [], [[1, 8, 8, 4]], image, **conv),
            "b": onnx_entry("__torch__.torch.nn.modules.conv.Conv2d", [], [[1, 8, 8, 4]], image, **conv),
            "c": onnx_entry("concat", ["a", "b"], [image, image], [1, 8, 8, 12], axis=1),
            "g": onnx_entry("gap", ["c"], [[1, 8, 8, 12]], [1, 1, 1, 12]),
        }
    )
    assert [(node.op, node.shape) for node in graph] == [
        ("input", (1, 8, 8, 4)),
        ("conv", (1, 8, 8, 6)),
        ("conv", (1, 8, 8, 6)),
        ("concat", (1, 8, 8, 12)),
        ("reduce_mean", (1, 1, 1, 12)),
    ]
    assert graph["b"].attrs["pads"] == (1, 1, 1, 1)


def test_variables_that_the_document_does_not_list() -> None:
    document = {"x": image(1, 8, 8, 3), "y": entry("NotAnOp", ["x", "scale/read"], [[1, 8, 8, 3]])}
    assert load(document)["y"].inputs == ("x",)
    document["y"]["inbounds"][1] = "nowhere"
    with pytest.raises(PredictorError, match="reads 'nowhere'"):
        load(document)
