"""Loops whose count is known in advance."""

from __future__ import annotations

import pytest

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.common.loops import MAX_TURNS, unrolled
from predictor_core.frontends.common.values import Value, constant


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
