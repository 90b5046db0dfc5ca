from __future__ import annotations

import pytest

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.free import drop_free, drop_noops
from tests.graph_factory import NodeList, all_ops

MAP = (1, 4, 4, 8)


def test_drop_free() -> None:
    m = NodeList(MAP)
    dropout, cast = m("dropout", "x"), m("cast", "x")
    m("add", m("identity", dropout), cast)
    graph = MutableGraph(m.nodes)
    assert drop_free(graph) is True
    assert all_ops(graph.freeze()) == ["input", "add"]
    assert set(graph.free) == {dropout, cast, "identity_3"}
    assert drop_free(graph) is False


def test_an_op_that_is_called_free_and_changes_the_shape_stays() -> None:
    m = NodeList(MAP)
    m("identity", "x", shape=(1, 128))
    assert drop_free(MutableGraph(m.nodes)) is False


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("reshape", {}),
        ("avgpool", {"kernel": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0)}),
        ("slice", {"axes": (1,), "starts": (0,), "steps": (1,)}),
        ("pad", {"pads": ((0, 0),) * 4}),
        ("expand", {}),
    ],
)
def test_drop_noops(op: str, attrs: dict[str, object]) -> None:
    m = NodeList(MAP)
    y = m(op, "x", **attrs)
    m("relu", y)
    graph = MutableGraph(m.nodes)
    assert drop_noops(graph) is True
    assert all_ops(graph.freeze()) == ["input", "relu"]
    assert graph.free == [y]


def test_a_reversed_slice_is_no_noop() -> None:
    m = NodeList(MAP)
    m("slice", "x", axes=(1,), starts=(3,), steps=(-1,))
    assert drop_noops(MutableGraph(m.nodes)) is False


def test_transposes_in_a_row_are_one() -> None:
    m = NodeList(MAP)
    first = m("transpose", "x", shape=(1, 8, 4, 4), perm=(0, 3, 1, 2))
    y = m("transpose", first, shape=(1, 8, 4, 4), perm=(0, 1, 3, 2))
    graph = MutableGraph(m.nodes)
    assert drop_noops(graph) is True
    assert graph.nodes[y].attrs["perm"] == (0, 3, 2, 1)
    assert first not in graph.nodes


def test_a_transpose_of_ones_is_a_reshape() -> None:
    m = NodeList((1, 1, 1, 8))
    y = m("transpose", "x", shape=(1, 8, 1, 1), perm=(0, 3, 1, 2))
    graph = MutableGraph(m.nodes)
    assert drop_noops(graph) is True
    assert graph.nodes[y].op == "reshape"
