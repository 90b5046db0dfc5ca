"""Unique names."""

from __future__ import annotations

from predictor_core.ir.names import Names


def test_equal_names_vary() -> None:
    names = Names(["a", "a_1"])

    assert [names.fresh(name) for name in ("a", "b", "a", "b")] == ["a_2", "b", "a_3", "b_1"]


def test_a_released_name_is_given_again() -> None:
    names = Names(["a"])
    names.release("a")

    assert names.fresh("a") == "a"


def test_many_equal_names_take_few_looks() -> None:
    names = Names()
    assert len({names.fresh("a") for _ in range(50_000)}) == 50_000
