"""The rows that the shipped x86 predictors are learned from, as the repository keeps them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from predictor_core.learning.x86.environments import (
    ENVIRONMENTS,
    HELD_OUT,
    SETS,
    Environment,
    Measured,
    passes,
)
from predictor_core.measuring.planning.folder import read_plan

KEPT = Path(__file__).parents[4] / "benchmarks" / "own_machine"
#: Models of each set, with one thread and with two.
COUNTS = {
    1: {"planned": 100, "real": 100, "random": 0, HELD_OUT: 40},
    2: {"planned": 40, "real": 0, HELD_OUT: 40},
}


def network(model: str) -> str:
    """Name of a model without the set that it is in."""
    return Path(model).stem


@pytest.fixture(scope="module")
def kept() -> Measured:
    def unread(path: Path) -> None:
        raise AssertionError(f"{path} is read")

    return Measured(KEPT, unread)


@pytest.mark.parametrize("one", ENVIRONMENTS, ids=lambda one: one.name)
def test_every_environment_has_its_rows(kept: Measured, one: Environment) -> None:
    counts = dict(COUNTS[one.threads])
    if one == ("onnxruntime", 1):
        counts["random"] = 100
    for name, count in counts.items():
        latencies = kept.latencies(one, (name,))
        assert len(latencies) == count
        assert all(model.startswith(f"{name}/") and model.endswith(".onnx") for model in latencies)
        assert all(0.0 < ms < math.inf for ms in latencies.values())
        every = passes(KEPT / f"{one.runtime}_{one.threads}_{name}.csv")
        assert all(len(latencies) == 3 for latencies in every.values())


def test_the_planned_models_are_those_of_the_plan(kept: Measured) -> None:
    plan = [f"planned/{planned}.onnx" for planned in read_plan(KEPT)]
    for one in ENVIRONMENTS:
        measured = set(kept.latencies(one, ("planned",)))
        assert measured == set(plan[: len(measured)])


def test_no_held_out_network_is_learned_from(kept: Measured) -> None:
    held_out = {network(model) for model in kept.held_out()}
    learned_from = {network(model) for one in ENVIRONMENTS for model in kept.latencies(one, SETS)}
    assert len(held_out) == 40
    assert not held_out & learned_from
