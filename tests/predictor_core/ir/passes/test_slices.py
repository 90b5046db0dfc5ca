from __future__ import annotations

import pytest

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.slices import joined_slices, merged_slices
from tests.graph_factory import NodeList, all_ops

MAP = (1, 8, 8, 16)


def cut(m: NodeList, x: str, axis: int, start: int, shape: tuple[int, ...], step: int = 1) -> str:
    return m("slice", x, shape=shape, axes=(axis,), starts=(start,), steps=(step,))


def test_merged_slices() -> None:
    m = NodeList(MAP)
    y = cut(m, cut(m, "x", 1, 0, (1, 4, 8, 16), 2), 2, 1, (1, 4, 4, 16), 2)
    graph = MutableGraph(m.nodes)
    assert merged_slices(graph) is True
    assert all_ops(graph.freeze()) == ["input", "slice"]
    assert graph.nodes[y].attrs == {"axes": (1, 2), "starts": (0, 1), "steps": (2, 2)}


def test_slices_of_one_axis_are_not_merged() -> None:
    m = NodeList(MAP)
    cut(m, cut(m, "x", 1, 2, (1, 6, 8, 16)), 1, 2, (1, 4, 8, 16))
    assert merged_slices(MutableGraph(m.nodes)) is False


def test_joined_slices() -> None:
    m = NodeList(MAP)
    parts = [cut(m, "x", 3, start, (1, 8, 8, 8)) for start in (0, 8)]
    m("add", *(m(op, part) for op, part in zip(("relu", "tanh"), parts)))
    graph = MutableGraph(m.nodes)
    assert joined_slices(graph) is True
    (split,) = graph.of("split")
    assert split.attrs == {"axis": 3, "sizes": (8, 8)}
    assert [node.inputs for node in graph.of("relu", "tanh")] == [(f"{split.name}:0",), (f"{split.name}:1",)]
    assert joined_slices(graph) is False


def test_slices_with_a_gap_stay() -> None:
    m = NodeList(MAP)
    m("add", cut(m, "x", 3, 0, (1, 8, 8, 4)), cut(m, "x", 3, 8, (1, 8, 8, 4)))
    assert joined_slices(MutableGraph(m.nodes)) is False


@pytest.mark.parametrize("reader", ["relu", "output", "open"])
def test_slices_whose_own_slice_is_read_elsewhere_are_not_merged(reader: str) -> None:
    m = NodeList(MAP)
    inner = cut(m, "x", 1, 0, (1, 4, 8, 16))
    outer = cut(m, inner, 2, 1, (1, 4, 4, 16))
    outputs = [outer]
    if reader == "relu":
        outputs.append(m("relu", inner))
    elif reader == "output":
        outputs.append(inner)
    else:
        # Where it begins, only the data tell.
        outputs = [m("slice", outer, shape=(1, 4, 4, 8), axes=(3,))]
        graph = MutableGraph(m.nodes, outputs=outputs)
        merged_slices(graph)
        assert all_ops(graph.freeze()) == ["input", "slice", "slice"]
        return
    assert merged_slices(MutableGraph(m.nodes, outputs=outputs)) is False
