"""Recognise the channel shuffle that a model spells with two reshapes and a transpose."""

from __future__ import annotations

from collections.abc import Callable

from predictor_core.ir.graph import Shape
from predictor_core.ir.rewrites.draft import Draft, retyped

_Grouped = Callable[[Shape, int], Shape]


def channel_shuffles(draft: Draft) -> None:
    """Join reshape to (N, H, W, groups, C / groups), swap of the last two, reshape back, to one op."""
    _shuffles(draft, lambda shape, groups: (*shape[:3], groups, shape[3] // groups), (0, 1, 2, 4, 3), 3)


def channel_first_shuffles(draft: Draft) -> None:
    """Do the same for the channels-first spelling, (N, groups, C / groups, H, W)."""
    _shuffles(
        draft, lambda shape, groups: (shape[0], groups, shape[1] // groups, *shape[2:]), (0, 2, 1, 3, 4), 1
    )


def _shuffles(draft: Draft, grouped: _Grouped, perm: Shape, axis: int) -> None:
    for node in draft.of("transpose"):
        if tuple(node.attrs.get("perm", ())) != perm:
            continue
        before, after = draft.producer(node.inputs[0]), draft.only_reader(node.name)
        if before.op != "reshape" or after is None or after.op != "reshape":
            continue
        if draft.only_reader(before.name) is not node:
            continue
        shape, groups = draft.shape(before.inputs[0]), before.shape[axis]
        if len(shape) == 4 and after.shape == shape and before.shape == grouped(shape, groups):
            draft.put(retyped(after, "channelshuffle", before.inputs, {"groups": groups}))
