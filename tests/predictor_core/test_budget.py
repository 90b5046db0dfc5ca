"""The budget of reading one model: refused before it is spent, raised by the caller."""

from __future__ import annotations

import pytest

from predictor_core import budget
from predictor_core.errors import ModelFormatError
from predictor_core.frontends.reading import to_graph


def _chain(count: int) -> dict[str, object]:
    document: dict[str, object] = {
        "x": {"attr": {"type": "Placeholder", "attr": {"shape": [1, 2, 2, 1]}}, "inbounds": []}
    }
    for index in range(count):
        source = "x" if index == 0 else f"n{index - 1}"
        document[f"n{index}"] = {"attr": {"type": "Sigmoid"}, "inbounds": [source]}
    return document


def test_nodes_are_bounded_and_a_caller_raises_the_bound() -> None:
    with budget.limits(nodes=10), pytest.raises(ModelFormatError, match="more than 10 nodes"):
        to_graph(_chain(20), "nnmeter-ir")
    with budget.limits(nodes=21):
        assert len(to_graph(_chain(20), "nnmeter-ir")) == 21


def test_processor_time_is_bounded() -> None:
    with budget.limits(seconds=0.0), pytest.raises(ModelFormatError, match="processor time"):
        to_graph(_chain(200), "nnmeter-ir")


def test_memory_is_refused_before_it_is_taken() -> None:
    with budget.metered() as meter, pytest.raises(ModelFormatError, match="memory_bytes"):
        meter.spend(memory_bytes=2**40)


def test_a_reading_inside_of_another_spends_from_the_same_budget() -> None:
    with budget.limits(nodes=30), budget.metered():
        to_graph(_chain(20), "nnmeter-ir")
        with pytest.raises(ModelFormatError, match="more than 30 nodes"):
            to_graph(_chain(20), "nnmeter-ir")


def test_limits_end_with_their_block() -> None:
    before = budget.current()
    with budget.limits(nodes=1):
        assert budget.current().nodes == 1
    assert budget.current() == before
    with pytest.raises(TypeError), budget.limits(hours=1):
        pass
