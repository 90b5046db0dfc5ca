"""Loops of a source graph whose count is known in advance, unrolled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.common.values import Value
from predictor_core.ir.graph import Node

T = TypeVar("T")

#: Most turns of one loop.
MAX_TURNS = 10_000


def unrolled(
    values: list[Value], condition: Callable[[list[Value]], Value], body: Callable[[list[Value]], list[Value]]
) -> list[Value]:
    """Return what a loop hands from turn to turn, after its last one.

    Parameters
    ----------
    values : list of Value
        Before the first turn.
    condition : callable
        Values -> whether one more turn follows.
    body : callable
        Values before a turn -> values after it.

    Raises
    ------
    UnsupportedOpError
        How often the loop runs depends on data, or it runs too often.
    """
    for _ in range(MAX_TURNS):
        goes_on = condition(values)
        if goes_on.array is None:
            raise UnsupportedOpError("a loop runs as often as its data say, so it has no fixed latency")
        if not goes_on.array.any():
            return values
        values = body(values)
    refuse_turns()


def tried(nodes: list[Node], graph: Callable[[list[Value]], T], values: list[Value]) -> T:
    """Return what a graph makes of values, without the nodes that it appends."""
    before = len(nodes)
    found = graph(values)
    del nodes[before:]
    return found


def opened(
    values: list[Value], tried: Callable[[list[Value]], list[Value]], state: Callable[[Value], Value]
) -> list[Value]:
    """Return the values before the first turn of a loop, with what is no constant later made none at once.

    Runtimes compute every turn alike: the first one, too, where a state begins with zeros.

    Parameters
    ----------
    values : list of Value
        Before the first turn.
    tried : callable
        Values before a turn -> values after it, without a trace.
    state : callable
        Makes a value that is no constant of one that is.
    """
    while True:
        after = tried(values)
        fixed = [
            type(value) is not Value or value.node is not None or 0 in value.shape or new.node is None
            for value, new in zip(values, after)
        ]
        if all(fixed):
            return values
        values = [value if kept else state(value) for value, kept in zip(values, fixed)]


def refuse_turns() -> NoReturn:
    """Raise the error of a loop that runs more than `MAX_TURNS` times."""
    raise UnsupportedOpError(f"a loop runs more than {MAX_TURNS} times")
