"""Recognise shuffles of channels and pixels that a model writes with two reshapes and a transpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from predictor_core.ir.graph import Node, Shape
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass

_Grouped = Callable[[Shape, int], Shape]


@graph_pass(requires=("no free ops",), ensures="channel shuffles", ops=("transpose",))
def channel_shuffles(graph: MutableGraph) -> None:
    """Join reshape to (N, H, W, groups, C / groups), swap of the last two, reshape back, to one op."""
    _shuffles(graph, lambda shape, groups: (*shape[:3], groups, shape[3] // groups), (0, 1, 2, 4, 3), 3)


@graph_pass(ensures="channel shuffles, channels first", ops=("transpose",))
def channel_first_shuffles(graph: MutableGraph) -> None:
    """Do the same for the channels-first form, (N, groups, C / groups, H, W)."""
    _shuffles(
        graph, lambda shape, groups: (shape[0], groups, shape[1] // groups, *shape[2:]), (0, 2, 1, 3, 4), 1
    )


@graph_pass(ensures="pixel unshuffles, channels first", ops=("transpose",))
def channel_first_unshuffles(graph: MutableGraph) -> None:
    """Join reshape to (N, C, H / b, b, W / b, b), transpose, reshape to (N, C * b * b, ...) to one op."""
    for source, grouped, after in _regrouped(graph, (0, 1, 3, 5, 2, 4)):
        shape, block = graph.shape(source), grouped[3]
        batch, channels, rows, columns = shape if len(shape) == 4 else (0, 0, 0, 0)
        small = (rows // block, columns // block)
        if grouped == (batch, channels, small[0], block, small[1], block) and after.shape == (
            batch,
            channels * block**2,
            *small,
        ):
            graph.replace(after, "spacetodepth", (source,), {"block": block})


def _shuffles(graph: MutableGraph, grouped: _Grouped, perm: Shape, axis: int) -> None:
    for source, shape_between, after in _regrouped(graph, perm):
        shape, groups = graph.shape(source), shape_between[axis]
        if len(shape) == 4 and after.shape == shape and shape_between == grouped(shape, groups):
            graph.replace(after, "channelshuffle", (source,), {"groups": groups})


def _regrouped(graph: MutableGraph, perm: Shape) -> Iterator[tuple[str, Shape, Node]]:
    """Yield what a reshape reads, its shape, and the reshape behind the transpose that follows it."""
    for node in graph.of("transpose"):
        if tuple(node.attrs.get("perm", ())) != perm:
            continue
        before, after = graph.producer(node.inputs[0]), graph.only_reader(node.name)
        if before.op != "reshape" or after is None or after.op != "reshape":
            continue
        if graph.only_reader(before.name) is node:
            yield before.inputs[0], before.shape, after
