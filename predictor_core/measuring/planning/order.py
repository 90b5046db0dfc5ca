"""The order in which to time models: sequential Bayesian design for the latencies of other models.

What is learned from measurements are coefficients with Gaussian priors (`predictor_core.learning.adapt`).
Near the source the logarithm of a model's latency is linear in them, so the variance that is left after some
measurements is known before anything is measured. Each step takes the candidate that lowers the mean variance
of the targets the most for the time that it costs: Bayesian A-optimality for the targets' predictions
(Chaloner and Verdinelli, "Bayesian experimental design: a review", 1995), greedily, so that every beginning
of the order is a plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor_core.learning.adapt import Problem

Floats = NDArray[np.float64]

#: Relative noise of a measurement, of everything that the coefficients can't say included.
NOISE = 0.06
#: A candidate is worth what it lowers, over its cost to this power: 0 counts measurements, 1 seconds.
COST_POWER = 0.5


@dataclass(frozen=True)
class Order:
    """A plan.

    Parameters
    ----------
    chosen : tuple of int
        Candidates in the order in which to time them.
    deviation : tuple of float
        After each of them, the root mean square of the targets' standard deviations of log latency.
    """

    chosen: tuple[int, ...]
    deviation: tuple[float, ...]


def sensitivities(problem: Problem) -> Floats:
    """Differentiate each model's log latency by the coefficients, in prior standard deviations.

    Parameters
    ----------
    problem : Problem
        Of n models and d coefficients.

    Returns
    -------
    (n, d) float64
        At the prior means.
    """
    means = np.array([problem.prior.means.get(name, 0.0) for name in problem.names])
    deviation = np.array([problem.prior.deviation(name) for name in problem.names])
    total = problem.predict(means)
    out = np.zeros((len(total), len(means)))
    for term in problem.terms:
        out[:, term.columns] += term.counts @ (term.values * term.items_ms(means)[:, None])
    return np.asarray(out / total[:, None] * deviation)


def plan_order(
    candidates: Floats,
    targets: Floats,
    cost_s: Floats,
    count: int,
    *,
    noise: float = NOISE,
) -> Order:
    """Choose candidates one after the other.

    Parameters
    ----------
    candidates : (n, d) float64
        `sensitivities` of what can be timed.
    targets : (m, d) float64
        Those of what is to be predicted.
    cost_s : (n,) float64
        Seconds that each candidate takes.
    count : int
        How many to choose, at most n.
    noise : float
        Standard deviation of the logarithm of a measurement.

    Returns
    -------
    Order
    """
    left = np.ones(len(candidates), dtype=bool)
    # Covariances of the errors that are left: of candidates with all, of targets with candidates.
    own = np.einsum("ij,ij->i", candidates, candidates)
    between = targets @ candidates.T
    among = candidates @ candidates.T
    spread = float(np.einsum("ij,ij->", targets, targets))
    chosen: list[int] = []
    deviation: list[float] = []
    worth_s = np.maximum(cost_s, 1e-3) ** COST_POWER
    for _ in range(min(count, len(candidates))):
        gain = (between**2).sum(axis=0) / (own + noise**2) / worth_s
        best = int(np.argmax(np.where(left, gain, -np.inf)))
        left[best] = False
        scale = own[best] + noise**2
        row, seen = among[best].copy(), between[:, best].copy()
        spread -= float(seen @ seen / scale)
        between -= np.outer(seen, row / scale)
        among -= np.outer(row, row / scale)
        own = np.diag(among).copy()
        chosen.append(best)
        deviation.append(float(np.sqrt(max(spread, 0.0) / len(targets))))
    return Order(tuple(chosen), tuple(deviation))
