"""Layouts as values: how the dimensions of a tensor are ordered, compared with its source."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from operator import itemgetter

from predictor_core.ir.graph import Shape

#: Entry i is the source dimension that dimension i holds, or -1 for one of size 1 that the source lacks.
Layout = tuple[int, ...]


def in_layout(shape: Shape, layout: Layout) -> Shape:
    """Return a source shape in a layout."""
    permute = _permutation(layout)
    return permute(shape) if permute else tuple([1 if dim < 0 else shape[dim] for dim in layout])


@lru_cache(maxsize=1024)
def _permutation(layout: Layout) -> Callable[[Shape], Shape] | None:
    """Return what orders the dimensions of a shape; None for layouts with others, or with fewer than two."""
    return itemgetter(*layout) if len(layout) > 1 and min(layout) >= 0 else None


@cache
def image_layout(rank: int) -> Layout:
    """Return the channels-last layout of a channels-first image; below rank 3 nothing moves."""
    if rank == 3:
        return (0, 2, -1, 1)
    return (0, *range(2, rank), 1) if rank > 3 else tuple(range(rank))


def source_layout(rank: int) -> Layout:
    """Return the layout that moves nothing."""
    return tuple(range(rank))


def without_added(layout: Layout) -> Layout:
    """Return a layout without the dimensions that the source lacks."""
    return tuple([dim for dim in layout if dim >= 0])


def renumbered(kept: list[int]) -> Layout:
    """Return the layout that is left of one when the source loses dimensions; `kept` are those that stay."""
    ranks = sorted(kept)
    return tuple([ranks.index(dim) for dim in kept])


def constant_shape(shape: Shape, layout: Layout) -> Shape:
    """Return the shape of a constant operand in the layout of the other one, without leading ones."""
    rank = len(without_added(layout))
    if len(shape) <= rank:
        shape = in_layout((1,) * (rank - len(shape)) + tuple(shape), layout)
    first = next((index for index, dim in enumerate(shape) if dim != 1), len(shape) - 1)
    return tuple(shape[max(first, 0) :])


def reshaped(before: Shape, after: Shape, have: list[int]) -> Layout | None:
    """Return the layout after a reshape of data laid out as `have`; None where the data must move first."""
    owners = _groups(before, after)
    order: list[int] = []
    pending = [dim for dim in have if before[dim] > 1]
    while pending:
        old, new = owners[pending[0]]
        taken, pending = pending[: len(old)], pending[len(old) :]
        if set(taken) != set(old) or (taken != old and len(new) > 1):
            return None
        order.extend(new)
    rank = len(after)
    for layout in (source_layout(rank), without_added(image_layout(rank))):
        if [dim for dim in layout if after[dim] > 1] == order:
            return layout
    return (*[dim for dim in range(rank) if after[dim] == 1], *order)


def _groups(before: Shape, after: Shape) -> dict[int, tuple[list[int], list[int]]]:
    """For each dimension of `before` over 1, the fewest around it that become whole ones of `after`."""
    old = [dim for dim, size in enumerate(before) if size > 1]
    new = [dim for dim, size in enumerate(after) if size > 1]
    owners: dict[int, tuple[list[int], list[int]]] = {}
    while old and new:
        left, right = [old.pop(0)], [new.pop(0)]
        m, n = before[left[0]], after[right[0]]
        while m != n:
            if m < n:
                left.append(old.pop(0))
                m *= before[left[-1]]
            else:
                right.append(new.pop(0))
                n *= after[right[-1]]
        for dim in left:
            owners[dim] = (left, right)
    return owners
