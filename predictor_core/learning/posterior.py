"""Coefficients of the highest posterior density, for latencies that are sums of terms.

A term contributes counts @ (base * exp(values @ coefficients)) to the latency of each model. Coefficients
have Gaussian priors; errors are those of the logarithm, Gaussian up to a limit and beyond it counted linearly
(Huber, "Robust estimation of a location parameter", 1964), so that an outlier pulls no harder than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGEST_STEP = 2.0
_MOST_LOG = 24.0
_MOST_DAMPING = 1e6


@dataclass(frozen=True)
class Term:
    """One sort of latency.

    Parameters
    ----------
    counts : (n, k) array or sparse matrix
        How often each model has each item.
    base_ms : (k,) float64
    values : (k, d) float64
        What multiplies the coefficients that act on the term.
    columns : (d,) integers
        Which coefficients those are.
    """

    counts: Any
    base_ms: Floats
    values: Floats
    columns: NDArray[np.intp]

    def items_ms(self, at: Floats) -> Floats:
        """Latency of each item, shape (k,)."""
        logs = np.clip(self.values @ at[self.columns], -_MOST_LOG, _MOST_LOG)
        return np.asarray(self.base_ms * np.exp(logs))

    def of_models(self, models: NDArray[Any]) -> Term:
        """Return the term of some models, with only their items."""
        counts = self.counts[models]
        used = np.flatnonzero(np.asarray(abs(counts).sum(axis=0)).ravel() * self.base_ms)
        return Term(counts[:, used], self.base_ms[used], self.values[used], self.columns)


@dataclass(frozen=True)
class Noise:
    """How far measurements are from any model of them.

    Parameters
    ----------
    relative : float
        Standard deviation of the logarithm.
    linear : float
        Absolute log ratio beyond which an error counts linearly.
    """

    relative: float = 0.03
    linear: float = 0.1


@dataclass(frozen=True)
class Posterior:
    """What was found.

    Parameters
    ----------
    mean : (d,) float64
        Coefficients of the highest density.
    covariance : (d, d) float64
        Of the Gaussian that touches the posterior there (Laplace's approximation).
    log_evidence : float
        Logarithm of the probability of the measurements under the prior, by the same approximation: what
        tells a good prior from a bad one. Comparable between fits to the same models.
    """

    mean: Floats
    covariance: Floats
    log_evidence: float


def predict(terms: Sequence[Term], at: Floats) -> Floats:
    """Latency of each model in ms, shape (n,)."""
    return np.asarray(sum(term.counts @ term.items_ms(at) for term in terms))


def maximum_posterior(
    terms: Sequence[Term],
    latency_ms: Floats,
    weight: Floats,
    prior: Floats,
    deviation: Floats,
    noise: Noise | None = None,
    *,
    start: Floats | None = None,
    steps: int = 60,
    done: float = 1e-5,
) -> Posterior:
    """Find the coefficients, by Levenberg-Marquardt with Huber's weights.

    Parameters
    ----------
    terms : sequence of Term
    latency_ms, weight : (n,) float64
        Measured latencies, and how much each counts.
    prior, deviation : (d,) float64
        Means and standard deviations of the coefficients.
    noise : Noise, optional
    start : (d,) float64, optional
        Where to begin. Default: the prior means.
    steps : int
        Most steps.
    done : float
        Relative gain below which it stops.
    """
    noise = noise or Noise()
    precision = deviation**-2.0
    limit = noise.linear / noise.relative

    def residuals(at: Floats) -> tuple[Floats, Floats, float]:
        predicted = np.zeros(len(latency_ms))
        jacobian = np.zeros((len(latency_ms), len(prior)))
        for term in terms:
            items_ms = term.items_ms(at)
            predicted += term.counts @ items_ms
            jacobian[:, term.columns] += term.counts @ (term.values * items_ms[:, None])
        error = np.log(predicted / latency_ms) / noise.relative
        size = np.abs(error)
        loss = weight @ np.where(size < limit, 0.5 * error**2, limit * (size - 0.5 * limit))
        jacobian /= predicted[:, None] * noise.relative
        return jacobian, error, float(loss + 0.5 * ((at - prior) ** 2 * precision).sum())

    at, damping = (prior if start is None else start).copy(), 1e-3
    jacobian, error, loss = residuals(at)
    for _ in range(steps):
        curvature, weighted = _curvature(jacobian, error, weight, limit, precision)
        slope = weighted.T @ error + (at - prior) * precision
        gain = 0.0
        while damping < _MOST_DAMPING:
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), slope)
            tried = at - np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
            candidate = residuals(tried)
            gain = loss - candidate[2]
            if gain > 0.0:
                at, (jacobian, error, loss) = tried, candidate
                damping = max(damping / 5.0, 1e-6)
                break
            damping *= 5.0
        if gain < done * abs(loss):
            break
    curvature, _ = _curvature(jacobian, error, weight, limit, precision)
    determinant = float(np.linalg.slogdet(curvature)[1]) - float(np.log(precision).sum())
    evidence = -loss - 0.5 * determinant - len(latency_ms) * float(np.log(noise.relative))
    return Posterior(at, np.asarray(np.linalg.inv(curvature), dtype=np.float64), evidence)


def _curvature(
    jacobian: Floats, error: Floats, weight: Floats, limit: float, precision: Floats
) -> tuple[Floats, Floats]:
    linear = weight * np.minimum(1.0, limit / np.maximum(np.abs(error), 1e-9))
    weighted = jacobian * linear[:, None]
    return weighted.T @ jacobian + np.diag(precision), weighted
