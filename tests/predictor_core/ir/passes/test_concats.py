from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.concats import joined_concats
from tests.graph_factory import NodeList

MAP = (1, 4, 4, 8)


def test_joined_concats() -> None:
    m = NodeList(MAP)
    a, b = m("relu", "x"), m("tanh", "x")
    inner = m("concat", a, b, shape=(1, 4, 4, 16), axis=3)
    y = m("concat", "x", inner, shape=(1, 4, 4, 24), axis=3)
    graph = MutableGraph(m.nodes)
    assert joined_concats(graph) is True
    assert graph.nodes[y].inputs == ("x", a, b)
    assert inner not in graph.nodes
    assert joined_concats(graph) is False


def test_concats_on_other_axes_and_with_other_readers_stay() -> None:
    m = NodeList(MAP)
    rows = m("concat", "x", "x", shape=(1, 8, 4, 8), axis=1)
    m("concat", rows, rows, shape=(1, 8, 4, 16), axis=3)
    assert joined_concats(MutableGraph(m.nodes)) is False
