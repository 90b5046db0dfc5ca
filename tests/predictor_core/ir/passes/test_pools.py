from __future__ import annotations

from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.passes import canonicalize
from tests.graph_factory import NodeList, all_ops

WINDOW = {"kernel": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 0)}


def test_mean_of_pixels_in_another_arrangement() -> None:
    model = NodeList((1, 32, 1, 8))
    row = model("reshape", "x", shape=(1, 1, 32, 8))
    model("reduce_mean", row, shape=(1, 8), axes=(1, 2), keepdims=False)
    graph = canonicalize(Graph(model.nodes))
    assert all_ops(graph) == ["input", "reduce_mean"]


def test_reshape_that_mixes_channels_stays_before_a_mean() -> None:
    model = NodeList((1, 32, 1, 8))
    mixed = model("reshape", "x", shape=(1, 4, 4, 16))
    model("reduce_mean", mixed, shape=(1, 16), axes=(1, 2), keepdims=False)
    assert all_ops(canonicalize(Graph(model.nodes))) == ["input", "reshape", "reduce_mean"]


def test_indices_that_nothing_reads_go() -> None:
    nodes = [
        Node("x", "input", outputs=((1, 8, 8, 4),)),
        Node("pool", "maxpool", ("x",), WINDOW, ((1, 4, 4, 4), (1, 4, 4, 4))),
        Node("relu", "relu", ("pool:0",), {}, ((1, 4, 4, 4),)),
    ]
    graph = canonicalize(Graph(nodes, outputs=("relu",)))
    assert graph["pool"].outputs == ((1, 4, 4, 4),)
    assert graph["relu"].inputs == ("pool",)
    kept = canonicalize(Graph(nodes, outputs=("relu", "pool:1")))
    assert kept["pool"].outputs == ((1, 4, 4, 4), (1, 4, 4, 4))
