"""Topological order."""

import pytest

from predictor_core.ir.order import CycleError, topological_order


def test_given_order_stays_where_it_is_topological():
    assert topological_order({"c": [], "a": ["c"], "b": ["c", "a"]}) == ["c", "a", "b"]


def test_items_move_behind_their_sources():
    assert topological_order({1: [2, 2], 2: [3], 3: []}) == [3, 2, 1]


def test_a_cycle_names_its_first_item():
    with pytest.raises(CycleError, match="node 'b'") as caught:
        topological_order({"a": [], "b": ["a", "c"], "c": ["b"]})
    assert caught.value.item == "b"


def test_a_long_row_needs_no_recursion():
    count = 50_000
    backwards = {index: [index + 1] for index in range(count)}
    backwards[count] = []
    assert topological_order(backwards) == list(range(count, -1, -1))
