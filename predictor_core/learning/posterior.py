"""Coefficients of the highest posterior density, for latencies that are sums of terms.

A term contributes counts @ (base * exp(values @ coefficients)) to the latency of each model. Coefficients
have a Gaussian prior. Errors are those of the logarithm, Gaussian up to a limit and linear beyond it (Huber,
"Robust estimation of a location parameter", 1964), so that an outlier pulls no harder than that.
The search is Levenberg-Marquardt's, in the coordinates in which the prior is a unit Gaussian: with few models
its systems are as large as their number, however many coefficients there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_STEPS, _LARGEST_STEP = 60, 2.0
_MOST_LOG = 24.0
_LEAST_DAMPING, _MOST_DAMPING = 1e-6, 1e6


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

    def scaled(self, items_ms: Floats) -> Any:
        """Latency of each item in each model, shape (n, k); sparse where the counts are."""
        if isinstance(self.counts, np.ndarray):
            return self.counts * items_ms
        found = self.counts.copy()
        found.data *= items_ms[found.indices]
        return found

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
class Gaussian:
    """A prior: each coefficient varies by itself, and along some directions many vary together.

    Parameters
    ----------
    mean, deviation : (d,) float64
    directions : (r, d) float64, optional
        The covariance is diag(deviation^2) + directions.T @ directions.
    """

    mean: Floats
    deviation: Floats
    directions: Floats | None = None

    @cached_property
    def root(self) -> Floats:
        """Matrix whose product with its transpose is the covariance, shape (d, d + r)."""
        own = np.diag(self.deviation)
        return own if self.directions is None else np.hstack([own, self.directions.T])

    @cached_property
    def variance(self) -> Floats:
        """Variance of each coefficient, shape (d,)."""
        own = self.deviation**2
        return own if self.directions is None else own + (self.directions**2).sum(axis=0)

    def rows(self, jacobian: Floats) -> Floats:
        """Return derivatives by the coordinates in which the prior is a unit Gaussian, shape (n, d + r)."""
        own = jacobian * self.deviation
        return own if self.directions is None else np.hstack([own, jacobian @ self.directions.T])

    def moves(self, rows: Floats) -> Floats:
        """Return how far each row of such coordinates is from the mean, shape (n, d)."""
        d = len(self.deviation)
        own = rows[:, :d] * self.deviation
        return own if self.directions is None else own + rows[:, d:] @ self.directions

    def at(self, z: Floats) -> Floats:
        """Coefficients at such coordinates, shape (d,)."""
        return np.asarray(self.mean + self.moves(z[None])[0])

    def coordinates(self, at: Floats) -> Floats:
        """Return the coordinates of coefficients, those nearest to zero, shape (d + r,)."""
        if self.directions is None:
            return np.asarray((at - self.mean) / self.deviation)
        return np.asarray(self.root.T @ np.linalg.solve(self.root @ self.root.T, at - self.mean))


@dataclass(frozen=True)
class Posterior:
    """What was found.

    Parameters
    ----------
    mean : (d,) float64
        Coefficients of the highest density.
    variance : (d,) float64
        Of the Gaussian that touches the posterior there (Laplace's approximation).
    """

    mean: Floats
    variance: Floats


def predict(terms: Sequence[Term], at: Floats) -> Floats:
    """Latency of each model in ms, shape (n,)."""
    return np.asarray(sum(term.counts @ term.items_ms(at) for term in terms))


def linearise(terms: Sequence[Term], at: Floats) -> tuple[Floats, Floats]:
    """Return the latency of each model in ms, shape (n,), and its logarithm's derivatives, shape (n, d)."""
    n = terms[0].counts.shape[0]
    predicted, jacobian = np.zeros(n), np.zeros((n, len(at)))
    for term in terms:
        items_ms = term.items_ms(at)
        predicted += term.counts @ items_ms
        jacobian[:, term.columns] += term.scaled(items_ms) @ term.values
    return predicted, jacobian / predicted[:, None]


def maximum_posterior(
    terms: Sequence[Term],
    latency_ms: Floats,
    weight: Floats,
    prior: Gaussian,
    noise: Noise | None = None,
    *,
    start: Floats | None = None,
    done: float = 1e-5,
) -> Posterior:
    """Find the coefficients, by Levenberg-Marquardt with Huber's weights.

    Parameters
    ----------
    terms : sequence of Term
    latency_ms, weight : (n,) float64
        Measured latencies, and how much each counts.
    prior : Gaussian
    noise : Noise, optional
    start : (d,) float64, optional
        Where to begin. Default: the prior mean.
    done : float
        Relative gain below which it stops.
    """
    noise = noise or Noise()
    limit = noise.linear / noise.relative

    def look(z: Floats) -> tuple[Floats, Floats, float]:
        predicted, jacobian = linearise(terms, prior.at(z))
        error = np.log(predicted / latency_ms) / noise.relative
        size = np.abs(error)
        loss = weight @ np.where(size < limit, 0.5 * error**2, limit * (size - 0.5 * limit))
        return prior.rows(jacobian) / noise.relative, error, float(loss + 0.5 * z @ z)

    size = len(prior.deviation) + (0 if prior.directions is None else len(prior.directions))
    z = np.zeros(size) if start is None else prior.coordinates(start)
    damping = 1e-3
    rows, error, loss = look(z)
    for _ in range(_MOST_STEPS):
        pull = np.sqrt(weight / np.maximum(np.abs(error) / limit, 1.0))
        weighted = rows * pull[:, None]
        slope = weighted.T @ (pull * error) + z
        gain = 0.0
        while damping < _MOST_DAMPING:
            step = _solve(weighted, slope, 1.0 + damping)
            largest = float(np.abs(prior.moves(step[None])).max())
            tried = z - step * min(1.0, _LARGEST_STEP / max(largest, 1e-12))
            candidate = look(tried)
            gain = loss - candidate[2]
            if gain > 0.0:
                z, (rows, error, loss) = tried, candidate
                damping = max(damping / 5.0, _LEAST_DAMPING)
                break
            damping *= 5.0
        if gain < done * abs(loss):
            break
    pull = np.sqrt(weight / np.maximum(np.abs(error) / limit, 1.0))
    return Posterior(prior.at(z), _variance(prior, rows * pull[:, None]))


def _solve(rows: Floats, right: Floats, ridge: float) -> Floats:
    """Solve (rows.T @ rows + ridge) x = right, in the smaller of the two spaces."""
    n, d = rows.shape
    if n < d:
        inner = np.linalg.solve(rows @ rows.T + ridge * np.eye(n), rows @ right)
        return np.asarray((right - rows.T @ inner) / ridge)
    return np.asarray(np.linalg.solve(rows.T @ rows + ridge * np.eye(d), right))


def _variance(prior: Gaussian, rows: Floats) -> Floats:
    """Posterior variance of each coefficient, shape (d,)."""
    n, d = rows.shape
    if n < d:
        lower = np.linalg.cholesky(rows @ rows.T + np.eye(n))
        explained = prior.moves(np.linalg.solve(lower, rows))
        return np.asarray(np.maximum(prior.variance - (explained**2).sum(axis=0), 1e-12))
    lower = np.linalg.cholesky(rows.T @ rows + np.eye(d))
    return np.asarray((np.linalg.solve(lower, prior.root.T) ** 2).sum(axis=0))
