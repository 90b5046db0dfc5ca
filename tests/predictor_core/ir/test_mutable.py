"""A graph while it is rewritten."""

from __future__ import annotations

import pytest

from predictor_core.errors import GraphError
from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph

MAP = (1, 4, 4, 8)


def node(name: str, op: str, *inputs: str, outputs: int = 1) -> Node:
    return Node(name, op, inputs, {}, (MAP,) * outputs)


def graph(*outputs: str) -> MutableGraph:
    nodes = [
        node("x", "input"),
        node("a", "relu", "x"),
        node("b", "add", "a", "a"),
        node("c", "mul", "b", "x"),
    ]
    return MutableGraph(nodes, outputs=outputs)


def test_nodes_in_another_order_are_sorted() -> None:
    backwards = MutableGraph([node("b", "relu", "a"), node("a", "relu", "x"), node("x", "input")])
    assert [one.name for one in backwards] == ["x", "a", "b"]
    assert backwards.outputs == ["b"]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("x", "input"), node("x", "input")], "stands in the graph twice"),
        ([node("x", "input"), node("y", "relu", "ghost")], "reads 'ghost', which no node makes"),
        ([node("a", "relu", "b"), node("b", "relu", "a")], "cycle through or before node 'a'"),
        ([node("s:0", "input"), node("s", "split", "s:0", outputs=2)], "two producers"),
    ],
)
def test_what_is_no_graph_is_refused(nodes: list[Node], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        MutableGraph(nodes)


def test_readers_count_each_read() -> None:
    made = graph()
    assert [one.name for one in made.readers("a")] == ["b", "b"]
    assert made.only_reader("a") is None
    assert made.only_reader("b") is made.nodes["c"]


def test_an_output_of_the_model_has_no_only_reader() -> None:
    assert graph("b", "c").only_reader("b") is None


def test_a_bypassed_node_is_gone_and_its_readers_read_on() -> None:
    made = graph("b", "c")
    made.bypass({"b": "a"})
    assert made.nodes["c"].inputs == ("a", "x")
    assert made.outputs == ["a", "c"]
    assert [one.name for one in made.freeze()] == ["x", "a", "c"]


def test_nodes_absorb_the_chains_behind_them() -> None:
    nodes = [
        node("x", "input"),
        node("a", "conv", "x"),
        node("b", "bn", "a"),
        node("c", "bn", "b"),
        node("d", "conv", "c"),
        node("e", "bn", "d"),
        node("f", "add", "c", "e"),
        node("g", "mul", "c", "c"),
    ]
    made = MutableGraph(nodes, outputs=["f", "c", "g"])
    made.absorb({"a": ["b", "c"], "d": ["e"]})
    assert made.changed
    assert [one.name for one in made.freeze()] == ["x", "a", "d", "f", "g"]
    assert made.nodes["d"].inputs == ("a",)
    assert made.nodes["f"].inputs == ("a", "d")
    assert [one.name for one in made.readers("a")] == ["d", "f", "g", "g"]
    assert made.outputs == ["f", "a", "g"]
    assert made.is_output("a")
    assert not made.has("bn")


def test_a_replaced_node_leaves_nothing_that_only_it_read() -> None:
    made = graph()
    made.replace(made.nodes["c"], "relu6", ("x",))
    assert [one.name for one in made] == ["x", "c"]
    assert made.has("relu6")
    assert not made.has("add")
    assert list(made.of("mul", "relu6")) == [made.nodes["c"]]


def test_a_long_row_that_nothing_reads_goes_without_recursion() -> None:
    nodes = [node("n0", "input"), *(node(f"n{i}", "relu", f"n{i - 1}") for i in range(1, 20_000))]
    made = MutableGraph([*nodes, node("y", "relu", "n0")], outputs=["y"])
    made.prune()
    assert len(made.freeze()) == 2


def test_nodes_in_a_row_are_bypassed_at_once() -> None:
    shape = ((1, 2),)
    nodes = [
        Node("x", "input", outputs=shape),
        Node("a", "identity", ("x",), outputs=shape),
        Node("b", "identity", ("a",), outputs=shape),
        Node("y", "add", ("b", "a"), outputs=shape),
    ]
    graph = MutableGraph(nodes, "", ["y", "b"])

    graph.bypass({"b": "a", "a": "x"})

    assert [node.name for node in graph] == ["x", "y"]
    assert graph.nodes["y"].inputs == ("x", "x")
    assert graph.outputs == ["y", "x"]
    assert graph.readers("x") == [graph.nodes["y"]] * 2


def test_attributes_are_all_that_changes() -> None:
    mutable = graph("c")
    before = list(mutable)
    mutable.set_attrs(mutable.nodes["b"], {"axis": 1})
    assert mutable.changed
    assert [one._replace(attrs={}) for one in mutable] == before
    assert mutable.nodes["b"].attrs == {"axis": 1}
