"""What a pass promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core import zoo
from predictor_core.errors import GraphError
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes import PASSES, GraphPass, canonical_graph, graph_pass, run_passes

MAP = (1, 4, 4, 8)
NODES = [
    Node("x", "input", outputs=(MAP,)),
    Node("y", "dropout", ("x",), {}, (MAP,)),
    Node("z", "relu", ("y",), {}, (MAP,)),
]


def test_every_requirement_is_ensured_by_an_earlier_pass() -> None:
    ensured: set[str] = set()
    for one in PASSES:
        assert set(one.requires) <= ensured, one
        assert one.ensures not in ensured, one
        ensured.add(one.ensures)


def test_passes_have_names_and_say_what_they_do() -> None:
    assert len({one.name for one in PASSES}) == len(PASSES)
    assert all(one.__doc__ for one in PASSES)


def test_a_pass_says_whether_it_changed_anything() -> None:
    assert run_passes(MutableGraph(NODES)) == ["drop_free"]
    assert run_passes(MutableGraph([NODES[0], Node("z", "relu", ("x",), {}, (MAP,))])) == []


@pytest.mark.parametrize("name", ["mobilenetv3small", "resnet18"])
def test_a_second_run_changes_nothing(name: str) -> None:
    graph = MutableGraph.of_graph(zoo.build(name))
    run_passes(graph)
    assert run_passes(graph) == []


def test_an_error_names_the_pass() -> None:
    @graph_pass(ensures="nothing")
    def broken(graph: MutableGraph) -> None:
        raise IndexError("list index out of range")

    assert isinstance(broken, GraphPass)
    with pytest.raises(GraphError, match=r"^broken: a node is malformed"):
        broken(MutableGraph(NODES))


def test_a_shape_that_no_tensor_has_is_named_rather_than_the_pass() -> None:
    wrong = Node("p", "adaptivepool", ("x",), {}, ((1, 0, 1, 8),))
    with pytest.raises(GraphError, match=r"node 'p' \(adaptivepool\) has output shape"):
        canonical_graph([NODES[0], wrong])


def test_a_graph_is_validated_when_it_is_frozen() -> None:
    with pytest.raises(GraphError, match="has output shape"):
        MutableGraph([Node("x", "input", outputs=((1, -1),))]).freeze()
    assert canonical_graph(NODES) == Graph([NODES[0], Node("z", "relu", ("x",), {}, (MAP,))])


def test_every_pass_has_tests_beside_its_name() -> None:
    here = Path(__file__).parent
    modules = {one.rewrite.__module__.rpartition(".")[2] for one in PASSES}
    assert [name for name in sorted(modules) if not (here / f"test_{name}.py").is_file()] == []


def test_a_pass_is_not_run_where_its_ops_are_not() -> None:
    @graph_pass(ensures="nothing", ops=("conv",))
    def broken(graph: MutableGraph) -> None:
        raise IndexError

    assert broken(MutableGraph(NODES)) is False
