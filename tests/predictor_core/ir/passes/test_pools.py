from __future__ import annotations

from typing import Any

import pytest

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


PIXEL = {"kernel": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0)}


def with_indices(
    reads: str = "x", window: dict[str, Any] = PIXEL, by: str = "slice", op: str = "sub"
) -> Graph:
    """Max pool whose indices count from the start of their channel, as exporters of torch write it."""
    small, whole = (1, 4, 4, 4), (1, 8, 8, 4)
    out = whole if window is PIXEL else small
    cut = {"axes": (1, 2), "starts": (0, 0), "steps": (1, 1)} if by == "slice" else {}
    nodes = [
        Node("x", "input", outputs=(whole,)),
        Node("other", "sigmoid", ("x",), {}, (whole,)),
        Node("pool", "maxpool", ("x",), WINDOW, (small, small)),
        Node("pixels", "maxpool", (reads,), window, (out, out)),
        Node("first", by, ("pixels:1",), cut, ((1, 1, 1, 4),)),
        Node("indices", op, ("pool:1", "first"), {}, (small,)),
    ]
    return canonicalize(Graph(nodes, outputs=("pool:0", "indices")))


def test_indices_from_the_start_of_their_channel_are_those_of_the_pool() -> None:
    graph = with_indices()
    assert all_ops(graph) == ["input", "maxpool"]
    assert graph.outputs == ("pool:0", "pool:1")


@pytest.mark.parametrize("change", [{"reads": "other"}, {"window": WINDOW}, {"by": "relu"}, {"op": "add"}])
def test_other_differences_of_indices_stay(change: dict[str, Any]) -> None:
    graph = with_indices(**change)
    assert graph.outputs == ("pool:0", "indices")
    assert graph["indices"].op == change.get("op", "sub")


@pytest.mark.parametrize(
    ("shape", "axes"), [((1, 8), (1, 2)), ((1, 1, 1, 8), (1, 2)), ((1, 4, 8), (2,)), ((1, 4, 1, 8), (2,))]
)
def test_a_reshape_that_drops_or_keeps_what_is_reduced_is_part_of_the_mean(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    kept = tuple(1 if axis in axes else dim for axis, dim in enumerate((1, 4, 4, 8)))
    dropped = tuple(dim for axis, dim in enumerate((1, 4, 4, 8)) if axis not in axes)
    model = NodeList((1, 4, 4, 8))
    mean = model(
        "reduce_mean", "x", shape=kept if shape == dropped else dropped, axes=axes, keepdims=shape == dropped
    )
    model("tanh", model("reshape", mean, shape=shape))
    graph = canonicalize(Graph(model.nodes))
    assert all_ops(graph) == ["input", "reduce_mean", "tanh"]
    assert graph[mean].shape == shape
    assert graph[mean].attrs == {"axes": axes, "keepdims": shape == kept}


def test_a_reshape_to_something_else_stays_behind_a_mean() -> None:
    model = NodeList((1, 4, 4, 8))
    mean = model("reduce_mean", "x", shape=(1, 8), axes=(1, 2), keepdims=False)
    model("tanh", model("reshape", mean, shape=(1, 2, 4)))
    assert all_ops(canonicalize(Graph(model.nodes))) == ["input", "reduce_mean", "reshape", "tanh"]
