from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.indices import wrapped_indices
from tests.graph_factory import NodeList, all_ops


def test_wrapped_indices() -> None:
    m = NodeList((1, 16))
    wrapped = m("where", m("Less", "x"), m("add", "x", const=100.0), "x")
    m("embedding", wrapped, shape=(1, 16, 8), width=8)
    graph = MutableGraph(m.nodes)
    assert wrapped_indices(graph) is True
    assert all_ops(graph.freeze()) == ["input", "embedding"]


def test_a_choice_between_other_things_stays() -> None:
    m = NodeList((1, 16))
    m("where", m("Less", "x"), m("mul", "x", const=100.0), "x")
    assert wrapped_indices(MutableGraph(m.nodes)) is False
