from __future__ import annotations

import pickle
import random

import pytest

from predictor_core.errors import GraphError
from predictor_core.ir import Graph, Node

MAP = ((1, 4, 4, 8),)


def chain(n: int) -> list[Node]:
    nodes = [Node("n0", "input", (), {}, MAP)]
    nodes += [Node(f"n{i}", "relu", (f"n{i - 1}",), {}, MAP) for i in range(1, n)]
    return nodes


def test_nodes_in_any_order_are_sorted_and_a_good_order_is_kept() -> None:
    nodes = chain(50)
    assert [node.name for node in Graph(nodes)] == [node.name for node in nodes]
    random.Random(0).shuffle(nodes)
    graph = Graph(nodes)
    assert [node.name for node in graph] == [f"n{i}" for i in range(50)]
    assert graph.outputs == ("n49",)


def test_tensors_of_several_outputs_have_names_and_shapes_of_their_own() -> None:
    graph = Graph(
        [
            Node("x", "input", (), {}, MAP),
            Node("s", "split", ("x",), {"axis": 3, "sizes": (2, 6)}, ((1, 4, 4, 2), (1, 4, 4, 6))),
            Node("a", "relu", ("s:0",), {}, ((1, 4, 4, 2),)),
            Node("c", "concat", ("a", "s:1"), {"axis": 3}, MAP),
        ]
    )
    assert graph.shape("s:1") == (1, 4, 4, 6)
    assert graph.producer("s:1").name == "s"
    assert [node.name for node in graph.consumers("s")] == ["a", "c"]
    assert graph.input_shapes(graph["c"]) == ((1, 4, 4, 2), (1, 4, 4, 6))
    assert graph.outputs == ("c",)


def test_a_reader_of_both_inputs_is_one_consumer() -> None:
    graph = Graph([*chain(2), Node("sum", "add", ("n1", "n1"), {}, MAP)])
    assert [node.name for node in graph.consumers("n1")] == ["sum"]


@pytest.mark.parametrize(
    "shape", [(1, 0, 4), (1, -5, 4, 8), (1, 2.0, 4), (1, None, 4), (1, True, 4), (2**31, 4)]
)
def test_a_bad_dimension_names_its_node(shape: tuple[int, ...]) -> None:
    with pytest.raises(GraphError, match="'bad'"):
        Graph([Node("bad", "input", (), {}, (shape,))])


def test_a_gigantic_tensor_is_refused() -> None:
    with pytest.raises(GraphError, match=r"'big'.*elements"):
        Graph([Node("big", "input", (), {}, ((1, 2**20, 2**20, 3),))])


def test_a_missing_shape_is_refused() -> None:
    with pytest.raises(GraphError, match=r"'n' .*no output shape"):
        Graph([Node("n", "relu")])


def test_a_duplicate_name_is_refused() -> None:
    with pytest.raises(GraphError, match="'n1' stands in the graph twice"):
        Graph([*chain(3), chain(2)[1]])


def test_a_dangling_input_names_reader_and_tensor() -> None:
    with pytest.raises(GraphError, match=r"'r' .*'ghost'"):
        Graph([*chain(2), Node("r", "relu", ("ghost",), {}, MAP)])


def test_a_cycle_is_refused() -> None:
    with pytest.raises(GraphError, match="cycle"):
        Graph([*chain(2), Node("a", "add", ("n1", "b"), {}, MAP), Node("b", "relu", ("a",), {}, MAP)])
    with pytest.raises(GraphError, match="cycle"):
        Graph([Node("self", "relu", ("self",), {}, MAP)])


def test_an_output_that_does_not_exist_is_refused() -> None:
    with pytest.raises(GraphError, match="'nowhere'"):
        Graph(chain(2), outputs=["nowhere"])


def test_graphs_survive_pickling_and_compare_by_content() -> None:
    graph = Graph(chain(5), "chain", free=["dropout"])
    copy = pickle.loads(pickle.dumps(graph))
    assert copy == graph
    assert (copy.name, copy.free, copy.outputs) == (graph.name, graph.free, graph.outputs)
    assert graph != Graph(chain(4))


def test_pickle_of_nodes_without_attributes() -> None:
    graph = Graph([Node("x", "input", outputs=((1, 4),)), Node("y", "relu", ("x",), outputs=((1, 4),))])
    assert pickle.loads(pickle.dumps(graph)) == graph


def test_shapes_of_many_outputs() -> None:
    sizes = tuple(range(1, 301))
    parts = tuple((1, size) for size in sizes)
    attrs = {"axis": 1, "sizes": sizes}
    graph = Graph(
        [Node("x", "input", outputs=((1, sum(sizes)),)), Node("s:0", "split", ("x",), attrs, parts)]
    )
    assert [graph.shape(tensor) for tensor in graph["s:0"].tensors] == list(parts)
