"""Populations: what devices of a kind have in common, and how they vary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predictor_core import load_latency_predictor
from predictor_core.ir.graph import Graph
from predictor_core.learning.adapt import Prior, Problem
from predictor_core.learning.leaveout import JointFit
from predictor_core.learning.population import Members, known_populations
from predictor_core.learning.posterior import Floats

from .conftest import DEVICE

NAMES = ("all:", "family:conv", "family:dwconv", "family:map")


def members(n: int) -> Members:
    """Devices whose first two families move together, and the third by itself."""
    rng = np.random.default_rng(0)
    together, own = rng.normal(0.0, 0.3, n), rng.normal(0.1, 0.1, n)
    means = np.stack([rng.normal(0.0, 1.0, n), together, -together, own], axis=1)
    return Members(NAMES, means, np.full((n, 4), 1e-4))


def test_what_moves_together_is_a_direction() -> None:
    prior = Prior.of(load_latency_predictor(DEVICE))
    found = members(40).gaussian(prior)
    covariance = found.root @ found.root.T
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / deviation / deviation[:, None]
    assert deviation[1:] == pytest.approx([0.3, 0.3, 0.1], rel=0.3)
    assert correlation[1, 2] == pytest.approx(-40 / 46, abs=0.05)
    assert abs(correlation[1, 3]) < 0.3
    # The common factor is the device's own.
    assert (found.mean[0], deviation[0]) == (0.0, prior.deviation("all:"))


def test_few_devices_say_less() -> None:
    prior = Prior.of(load_latency_predictor(DEVICE))
    few, many = (members(n).gaussian(prior) for n in (3, 40))
    assert few.directions is not None
    assert len(few.directions) == 2
    correlation = (few.root @ few.root.T)[1, 2] / np.sqrt(few.variance[1] * few.variance[2])
    assert -3 / 9 - 0.05 < correlation < -0.2
    assert many.mean[3] == pytest.approx(0.1, abs=0.05)


def test_a_population_does_not_know_who_is_left_out(
    zoo_graphs: dict[str, Graph], problem: Problem, base: Floats
) -> None:
    odd = base * np.where(["mobile" in name for name in zoo_graphs], 3.0, 1.0)
    fits = [JointFit(problem, {"a": base, "b": 2.0 * base, "c": one}) for one in (base, odd)]
    without = [fit.members(["a", "b"]) for fit in fits]
    moved = np.abs(without[0].means - without[1].means).max()
    assert moved < 0.2
    assert np.abs(fits[0].members().means - fits[1].members().means).max() > 4.0 * moved


def test_four_measurements_of_one_more_device_are_enough(problem: Problem, base: Floats) -> None:
    fit = JointFit(problem, {name: factor * base for name, factor in zip("abc", (0.5, 1.0, 2.0))})
    alike, sibling = fit.members().priors(problem.prior, "phones")
    assert (alike.label, sibling.label) == (f"{DEVICE}, as phones", f"{DEVICE}, varying as phones")
    assert set(sibling.means.values()) == {0.0}
    few = np.array([0, 7, 13, 21])
    errors = [
        np.abs(np.log(one.predict(one.fit(3.0 * base, few).mean) / (3.0 * base))).mean()
        for one in (problem, replace(problem, prior=alike))
    ]
    assert errors[1] < min(0.5 * errors[0], 0.03)


def test_the_phones_are_populations() -> None:
    populations = known_populations()
    assert {"TFLite 2.10 fp32", "TFLite 2.10 int8", "PyTorch Mobile 2.0 fp32"} <= set(populations)
    for alike, _ in populations.values():
        # Where a source needs the same sum, its devices answer around the mean of the population.
        assert max(map(abs, alike.means.values())) < 5.0
        assert min(alike.deviations.values()) > 0.0
