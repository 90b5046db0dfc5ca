"""The order of a plan, against what follows from the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from predictor_core import load_latency_predictor
from predictor_core.fusion import detect
from predictor_core.ir.passes import canonicalize
from predictor_core.learning.adapt import Prior, pose
from predictor_core.learning.corpus import cut_of
from predictor_core.measuring.planning.order import plan_order, sensitivities
from predictor_core.zoo.variants import variant


def random_rows(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def left_over(rows: np.ndarray, targets: np.ndarray, noise: float) -> float:
    """Root mean square of the targets' posterior deviations, by inverting the precision."""
    precision = np.eye(rows.shape[1]) + rows.T @ rows / noise**2
    return float(np.sqrt(np.mean(np.einsum("ij,ij->i", targets, np.linalg.solve(precision, targets.T).T))))


def test_what_is_left_over_is_the_posterior() -> None:
    rows, targets = random_rows(12), random_rows(5, seed=1)
    order = plan_order(rows, targets, np.ones(12), 8, noise=0.3)
    assert len(set(order.chosen)) == 8
    for count, deviation in enumerate(order.deviation, 1):
        assert deviation == pytest.approx(left_over(rows[list(order.chosen[:count])], targets, 0.3), rel=1e-6)
    assert list(order.deviation) == sorted(order.deviation, reverse=True)


def test_each_step_is_the_best_one() -> None:
    rows, targets = random_rows(10), random_rows(5, seed=1)
    chosen = list(plan_order(rows, targets, np.ones(10), 4, noise=0.3).chosen)
    for step, found in enumerate(chosen):
        scores = {
            i: left_over(rows[[*chosen[:step], i]], targets, 0.3) for i in range(10) if i not in chosen[:step]
        }
        assert min(scores, key=scores.__getitem__) == found


def test_an_order_begins_like_a_shorter_one() -> None:
    rows, targets = random_rows(20), random_rows(5, seed=1)
    long, short = (plan_order(rows, targets, np.ones(20), count).chosen for count in (10, 4))
    assert long[:4] == short


def test_of_two_that_teach_the_same_the_cheaper_is_timed() -> None:
    rows = random_rows(6)
    rows[3] = rows[1]
    cost = np.array([1.0, 9.0, 1.0, 3.0, 1.0, 1.0])
    assert 1 not in plan_order(rows, random_rows(5, seed=1), cost, 4).chosen


def test_no_more_are_chosen_than_there_are() -> None:
    assert len(plan_order(random_rows(3), random_rows(2), np.ones(3), 9).chosen) == 3


def test_sensitivities_are_derivatives() -> None:
    source = load_latency_predictor("cortexA76cpu_tflite21")
    graphs = [canonicalize(variant(family, 0)) for family in ("mobilenetv2", "squeezenet", "shufflenetv2")]
    kernels = [{k.spec._replace(type=""): 1 for k in detect(graph, source.rules)} for graph in graphs]
    problem = pose(Prior.of(source), cut_of(kernels))
    rows = sensitivities(problem)
    at, step = np.zeros(len(problem.names)), 1e-5
    for i in (0, 1, 5, len(at) // 2, len(at) - 1):
        beyond = at.copy()
        beyond[i] = step
        slope = (np.log(problem.predict(beyond)) - np.log(problem.predict(at))) / step
        assert rows[:, i] == pytest.approx(
            slope * problem.prior.deviation(problem.names[i]), rel=1e-3, abs=1e-6
        )
