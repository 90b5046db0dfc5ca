from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.dead import drop_dead
from tests.graph_factory import NodeList, all_ops

MAP = (1, 4, 4, 8)


def test_drop_dead() -> None:
    m = NodeList(MAP)
    y = m("relu", "x")
    m("tanh", m("sigmoid", y))
    graph = MutableGraph(m.nodes, outputs=(y,))
    assert drop_dead(graph) is True
    assert all_ops(graph.freeze()) == ["input", "relu"]
    assert drop_dead(graph) is False


def test_inputs_that_nothing_reads_stay() -> None:
    m = NodeList(MAP)
    m.nodes.append(m.nodes[0]._replace(name="unread"))
    y = m("relu", "x")
    graph = MutableGraph(m.nodes, outputs=(y,))
    assert drop_dead(graph) is False
    assert "unread" in graph.nodes
