"""Every Graph that is written reads back equal, and the published file reads and writes unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import PredictorError
from predictor_core.frontends.nnmeter_ir import dump, load, read_document, to_document
from predictor_core.ir import Graph, Node
from predictor_core.ir.ops import ACTIVATION_OPS, FREE_OPS, KNOWN_OPS, UNARY_OPS

IMAGE = (2, 8, 6, 12)
WINDOW = {"kernel": (3, 2), "strides": (2, 1), "pads": (1, 0, 1, 1)}
CONV = {**WINDOW, "dilations": (1, 1), "groups": 1, "bias": True}

#: op -> (attributes, output shape) of one node that reads IMAGE; ops that keep the shape are not listed.
NODES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "conv": ({**CONV, "groups": 3}, (2, 4, 6, 9)),
    "dwconv": ({**CONV, "groups": 12, "bias": False}, (2, 4, 6, 24)),
    "convtranspose": ({**CONV, "output_padding": (1, 0)}, (2, 16, 6, 5)),
    "conv3d": ({"kernel": (3, 3, 3), "bias": True}, (2, 4, 4, 4, 7)),
    "convtranspose3d": ({"kernel": (3, 3, 3), "bias": True}, (2, 8, 8, 8, 7)),
    "deformconv": ({"kernel": (3, 3), "bias": True}, (2, 8, 6, 7)),
    "maxpool3d": ({"kernel": (2, 2, 2), "strides": (2, 2, 2)}, (2, 4, 4, 4, 7)),
    "avgpool3d": ({"kernel": (2, 2, 2), "strides": (2, 2, 2)}, (2, 4, 4, 4, 7)),
    "fc": ({"bias": True}, (2, 8, 6, 5)),
    "embedding": ({"width": 7}, (2, 8, 6, 12, 7)),
    "lstm": ({"hidden": 5, "layers": 2, "bidirectional": False}, (2, 8, 5)),
    "gru": ({"hidden": 5, "layers": 1, "bidirectional": True}, (2, 8, 10)),
    "rnn": ({"hidden": 5, "layers": 1, "bidirectional": False}, (2, 8, 5)),
    "add": ({"const": 3.5}, IMAGE),
    "sub": ({"const": 1.0, "const_first": True}, IMAGE),
    "mul": ({"const_shape": (6, 12)}, IMAGE),
    "div": ({"const": 6.0}, IMAGE),
    "pow": ({"const": 2.0}, IMAGE),
    "max": ({"const": 0.5}, IMAGE),
    "min": ({"const_shape": (1, 1, 1, 12)}, IMAGE),
    "clip": ({"min": -1.0, "max": 1.0}, IMAGE),
    "maxpool": (WINDOW, (2, 4, 6, 12)),
    "avgpool": ({"kernel": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 0)}, (2, 4, 3, 12)),
    "adaptivepool": ({"mode": "avg"}, (2, 3, 5, 12)),
    "reduce_mean": ({"axes": (1, 2), "keepdims": True}, (2, 1, 1, 12)),
    "reduce_max": ({"axes": (1, 2), "keepdims": False}, (2, 12)),
    "reduce_sum": ({"axes": (3,), "keepdims": True}, (2, 8, 6, 1)),
    "reduce_min": ({"axes": (3,), "keepdims": False}, (2, 8, 6)),
    "argmax": ({"axes": (3,), "keepdims": False}, (2, 8, 6)),
    "topk": ({"axis": 3}, (2, 8, 6, 3)),
    "softmax": ({"axis": 1}, IMAGE),
    "logsoftmax": ({"axis": 3}, IMAGE),
    "slice": ({"axes": (1,), "starts": (2,), "steps": (1,)}, (2, 6, 6, 12)),
    "pad": ({"pads": ((0, 0), (1, 1), (2, 2), (0, 0)), "mode": "reflect"}, (2, 10, 10, 12)),
    "resize": ({"mode": "nearest"}, (2, 16, 12, 12)),
    "reshape": ({}, (2, 48, 12)),
    "transpose": ({"perm": (0, 2, 3, 1)}, (2, 6, 12, 8)),
    "gather": ({"axis": 1}, (2, 3, 6, 12)),
    "expand": ({}, (4, 2, 8, 6, 12)),
    "channelshuffle": ({"groups": 3}, IMAGE),
    "depthtospace": ({"block": 2}, (2, 16, 12, 3)),
    "spacetodepth": ({"block": 2}, (2, 4, 3, 48)),
    "stack": ({"axis": 0}, (1, *IMAGE)),
    "groupnorm": ({"groups": 4}, IMAGE),
    "layernorm": ({"axis": 3}, IMAGE),
    "Greater": ({"const": 0.5}, IMAGE),
    "NotAnOp": ({"power": 3, "sizes": (1, (2, 3))}, (2, 5)),
}


def written_and_read(graph: Graph) -> Graph:
    return load(json.loads(json.dumps(to_document(graph))))


@pytest.mark.parametrize(
    "op", sorted({*NODES, *KNOWN_OPS} - FREE_OPS - {"input", "concat", "split", "matmul"})
)
def test_every_op_reads_back_equal(op: str) -> None:
    attrs, shape = NODES.get(op, ({}, IMAGE))
    graph = Graph(
        [Node("x", "input", outputs=(IMAGE,)), Node("y", op, ("x",), attrs, (shape,), "features.0")]
    )
    assert written_and_read(graph) == graph


def test_table_covers_what_changes_the_shape() -> None:
    keeps = (
        ACTIVATION_OPS
        | UNARY_OPS
        | {"bn", "biasadd", "rmsnorm", "instancenorm", "lrn", "l2norm", "roll", "where"}
    )
    assert KNOWN_OPS - keeps - FREE_OPS - set(NODES) == {"input", "concat", "split", "matmul"}


def test_several_inputs_and_outputs_read_back_equal() -> None:
    graph = Graph(
        [
            Node("x", "input", outputs=(IMAGE,)),
            Node("s", "split", ("x",), {"axis": 3, "sizes": (4, 4, 4)}, ((2, 8, 6, 4),) * 3),
            Node("a", "relu", ("s:2",), {}, ((2, 8, 6, 4),)),
            Node("b", "concat", ("s:1", "a", "s:0", "s:1"), {"axis": 3}, ((2, 8, 6, 16),)),
            Node("t", "transpose", ("b",), {"perm": (0, 1, 3, 2)}, ((2, 8, 16, 6),)),
            Node("m", "matmul", ("t", "b"), {}, ((2, 8, 16, 16),)),
            Node("c", "sub", ("m", "m"), {}, ((2, 8, 16, 16),)),
            Node("e", "matmul", ("t", "t"), {}, ((2, 8, 16, 16),)),
            Node("k", "matmul", ("t",), {"const_shape": (7, 16), "const_first": True}, ((2, 8, 7, 6),)),
        ],
        outputs=("c", "s:1", "a", "e", "k"),
    )
    again = written_and_read(graph)
    assert again.nodes == graph.nodes
    assert again.outputs == ("c", "s:1", "a", "e", "k")


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 1, 1), (2, 0, 2, 0)])
def test_padding_is_named_where_it_has_a_name(pads: tuple[int, int, int, int]) -> None:
    out = (2, (8 + pads[0] + pads[2] - 3) // 2 + 1, (6 + pads[1] + pads[3] - 3) // 2 + 1, 4)
    attrs = {**CONV, "kernel": (3, 3), "strides": (2, 2), "pads": pads}
    graph = Graph([Node("x", "input", outputs=(IMAGE,)), Node("c", "conv", ("x",), attrs, (out,))])
    names = {(0, 0, 0, 0): "VALID", (0, 0, 1, 1): "SAME"}
    assert to_document(graph)["c"]["attr"]["attr"]["padding"] == names.get(pads, "EXPLICIT")
    assert written_and_read(graph) == graph


def test_form_of_a_document() -> None:
    graph = Graph(
        [
            Node("x", "input", outputs=(IMAGE,)),
            Node("c", "conv", ("x",), {**CONV, "bias": False}, ((2, 4, 6, 5),)),
            Node("a", "add", ("c",), {"const": 3.0}, ((2, 4, 6, 5),)),
        ]
    )
    document = to_document(graph)
    assert list(document) == ["x", "c", "a/y", "a"]
    assert document["x"]["outbounds"] == ["c"]
    assert document["a"]["inbounds"] == ["c", "a/y"]
    assert document["a/y"]["attr"]["attr"] == {"tensor_shape": [], "constant": [3.0]}
    assert document["c"]["attr"] == {
        "name": "c",
        "type": "Conv2D",
        "output_shape": [[2, 4, 6, 5]],
        "attr": {
            "padding": "EXPLICIT",
            "strides": [2, 1],
            "data_format": "NHWC",
            "dilations": [1, 1],
            "kernel_shape": [3, 2],
            "weight_shape": [3, 2, 12, 5],
            "pads": [1, 0, 1, 1],
        },
        "input_shape": [[2, 8, 6, 12]],
    }


def test_published_file_is_written_as_it_was(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "reference" / "mobilenetv3small_0.json"
    dump(read_document(file), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == file.read_bytes()


def test_published_model_reads_back_equal(shared_data: Path) -> None:
    graph = load(shared_data / "reference" / "mobilenetv3small_0.json")
    assert written_and_read(graph) == graph


def test_unwritable_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PredictorError, match="can't write"):
        dump({}, tmp_path / "file" / "ir.json")


def test_indices_of_a_max_pool_come_back() -> None:
    shape = (1, 4, 4, 4)
    window = {"kernel": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 0)}
    nodes = [
        Node("x", "input", outputs=((1, 8, 8, 4),)),
        Node("pool", "maxpool", ("x",), window, (shape, shape)),
        Node("unpool", "MaxUnpool", ("pool:0", "pool:1"), {}, ((1, 8, 8, 4),)),
    ]
    graph = Graph(nodes)
    assert load(to_document(graph)) == graph
