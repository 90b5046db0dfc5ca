"""Topological order, once for every graph that is read, written or cut."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

from predictor_core.errors import GraphError

Item = TypeVar("Item", bound=Hashable)


class CycleError(GraphError):
    """Items that wait for each other.

    Parameters
    ----------
    item : hashable
        The first item that lies on a cycle or behind one.
    """

    def __init__(self, item: Any) -> None:
        super().__init__(f"the graph has a cycle through or before node {item!r}")
        self.item = item


def topological_order(sources: Mapping[Item, Iterable[Item]]) -> list[Item]:
    """Sort items so that each stands behind its sources.

    Kahn's algorithm (Communications of the ACM 5(11), 1962) on a queue that starts in the given order, so
    that the order depends on nothing else; linear in items and sources.

    Parameters
    ----------
    sources : mapping
        Item -> the items that it needs, all of them keys of the mapping; repetitions are allowed.

    Raises
    ------
    CycleError
        When the items have no such order. Callers whose items have other names for people say so.

    Examples
    --------
    >>> topological_order({"sum": ["left", "right"], "left": [], "right": ["left"]})
    ['left', 'right', 'sum']
    """
    waiting: dict[Item, int] = {}
    readers: dict[Item, list[Item]] = {}
    for item, needed in sources.items():
        different = dict.fromkeys(needed)
        waiting[item] = len(different)
        for source in different:
            readers.setdefault(source, []).append(item)
    order = [item for item, count in waiting.items() if not count]
    for item in order:
        for reader in readers.get(item, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                order.append(reader)
    if len(order) < len(waiting):
        raise CycleError(next(item for item, count in waiting.items() if count))
    return order
