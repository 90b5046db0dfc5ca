from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.shuffle import (
    channel_first_shuffles,
    channel_first_unshuffles,
    channel_shuffles,
)
from tests.graph_factory import NodeList


def regrouped(
    shape: tuple[int, ...], between: tuple[int, ...], perm: tuple[int, ...], after: tuple[int, ...]
) -> tuple[MutableGraph, str]:
    m = NodeList(shape)
    moved = tuple(between[axis] for axis in perm)
    y = m("reshape", m("transpose", m("reshape", "x", shape=between), shape=moved, perm=perm), shape=after)
    return MutableGraph(m.nodes), y


def test_channel_shuffles() -> None:
    graph, y = regrouped((1, 4, 4, 8), (1, 4, 4, 2, 4), (0, 1, 2, 4, 3), (1, 4, 4, 8))
    assert channel_shuffles(graph) is True
    assert (graph.nodes[y].op, graph.nodes[y].attrs) == ("channelshuffle", {"groups": 2})
    assert channel_shuffles(graph) is False


def test_channel_first_shuffles() -> None:
    graph, y = regrouped((1, 8, 4, 4), (1, 2, 4, 4, 4), (0, 2, 1, 3, 4), (1, 8, 4, 4))
    assert channel_first_shuffles(graph) is True
    assert (graph.nodes[y].op, graph.nodes[y].attrs) == ("channelshuffle", {"groups": 2})


def test_channel_first_unshuffles() -> None:
    graph, y = regrouped((1, 3, 8, 8), (1, 3, 4, 2, 4, 2), (0, 1, 3, 5, 2, 4), (1, 12, 4, 4))
    assert channel_first_unshuffles(graph) is True
    assert (graph.nodes[y].op, graph.nodes[y].attrs) == ("spacetodepth", {"block": 2})


def test_another_shape_behind_it_is_no_shuffle() -> None:
    graph, _ = regrouped((1, 4, 4, 8), (1, 4, 4, 2, 4), (0, 1, 2, 4, 3), (1, 16, 8))
    assert channel_shuffles(graph) is False
