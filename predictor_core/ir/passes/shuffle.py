"""Recognise shuffles of channels and pixels that a model spells with two reshapes and a transpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from predictor_core.ir.graph import Node, Shape
from predictor_core.ir.passes.draft import Draft, retyped

_Grouped = Callable[[Shape, int], Shape]


def channel_shuffles(draft: Draft) -> None:
    """Join reshape to (N, H, W, groups, C / groups), swap of the last two, reshape back, to one op."""
    _shuffles(draft, lambda shape, groups: (*shape[:3], groups, shape[3] // groups), (0, 1, 2, 4, 3), 3)


def channel_first_shuffles(draft: Draft) -> None:
    """Do the same for the channels-first spelling, (N, groups, C / groups, H, W)."""
    _shuffles(
        draft, lambda shape, groups: (shape[0], groups, shape[1] // groups, *shape[2:]), (0, 2, 1, 3, 4), 1
    )


def channel_first_unshuffles(draft: Draft) -> None:
    """Join reshape to (N, C, H / b, b, W / b, b), transpose, reshape to (N, C * b * b, ...) to one op."""
    for source, grouped, after in _regrouped(draft, (0, 1, 3, 5, 2, 4)):
        shape, block = draft.shape(source), grouped[3]
        batch, channels, rows, columns = shape if len(shape) == 4 else (0, 0, 0, 0)
        small = (rows // block, columns // block)
        if grouped == (batch, channels, small[0], block, small[1], block) and after.shape == (
            batch,
            channels * block**2,
            *small,
        ):
            draft.put(retyped(after, "spacetodepth", (source,), {"block": block}))


def _shuffles(draft: Draft, grouped: _Grouped, perm: Shape, axis: int) -> None:
    for source, shape_between, after in _regrouped(draft, perm):
        shape, groups = draft.shape(source), shape_between[axis]
        if len(shape) == 4 and after.shape == shape and shape_between == grouped(shape, groups):
            draft.put(retyped(after, "channelshuffle", (source,), {"groups": groups}))


def _regrouped(draft: Draft, perm: Shape) -> Iterator[tuple[str, Shape, Node]]:
    """Yield what a reshape reads, its shape, and the reshape behind the transpose that follows it."""
    for node in draft.of("transpose"):
        if tuple(node.attrs.get("perm", ())) != perm:
            continue
        before, after = draft.producer(node.inputs[0]), draft.only_reader(node.name)
        if before.op != "reshape" or after is None or after.op != "reshape":
            continue
        if draft.only_reader(before.name) is node:
            yield before.inputs[0], before.shape, after
