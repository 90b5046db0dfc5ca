"""Loops whose count is known in advance."""

from __future__ import annotations

import pytest

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.common.loops import MAX_TURNS, opened, tried, unrolled
from predictor_core.frontends.common.values import Value, constant
from predictor_core.ir.graph import Node


def counted(values: list[Value]) -> list[Value]:
    (count,) = values
    return [constant(count.array + 1)]


@pytest.mark.parametrize("turns", [0, 3, MAX_TURNS - 1])
def test_a_loop_runs_as_long_as_its_condition_holds(turns: int) -> None:
    (count,) = unrolled([constant(0)], lambda values: constant(values[0].array < turns), counted)
    assert count.array == turns


def test_a_loop_without_an_end_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match=f"a loop runs more than {MAX_TURNS} times"):
        unrolled([constant(0)], lambda values: constant(True), counted)


def test_a_loop_whose_condition_is_not_known_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="as often as its data say"):
        unrolled([constant(0)], lambda values: Value(()), counted)


def test_what_a_later_turn_overwrites_is_no_constant_in_the_first() -> None:
    nodes: list[Node] = []
    zeros = Value((1, 8))

    def delayed(values: list[Value]) -> list[Value]:
        """The input goes to the first state, that to the second; the last one has no elements."""
        nodes.append(Node("n", "relu", ("x",), outputs=((1, 8),)))
        x, first, _, third, empty = values
        return [x, x, first, third, Value((0,), x.node) if empty.is_constant else empty]

    before = [Value((1, 8), "x"), zeros, zeros, zeros, Value((0,))]
    found = opened(
        before, lambda values: tried(nodes, delayed, values), lambda value: Value(value.shape, "s")
    )
    assert [value.node for value in found] == ["x", "s", "s", None, None]
    assert not nodes
