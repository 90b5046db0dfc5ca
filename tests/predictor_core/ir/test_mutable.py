"""Edits of a graph."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph


def test_nodes_in_a_row_are_bypassed_at_once() -> None:
    shape = ((1, 2),)
    nodes = [
        Node("x", "input", outputs=shape),
        Node("a", "identity", ("x",), outputs=shape),
        Node("b", "identity", ("a",), outputs=shape),
        Node("y", "add", ("b", "a"), outputs=shape),
    ]
    graph = MutableGraph(nodes, "", ["y", "b"])

    graph.bypass_all({"b": "a", "a": "x"})

    assert [node.name for node in graph] == ["x", "y"]
    assert graph.nodes["y"].inputs == ("x", "x")
    assert graph.outputs == ["y", "x"]
    assert graph.readers("x") == [graph.nodes["y"]] * 2
