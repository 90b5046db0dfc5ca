"""Joint fits of environments, and their cross-validation, by steps from fits that are near.

What a runtime does alike on all devices (how much slower a small convolution is than its arithmetic says,
what a softmax costs) is the same correction everywhere; what differs are rates. So the coefficients of an
environment have a common mean and, each, a variance over the environments, and both are estimated from all
of them (empirical Bayes, by expectation maximisation).

There may be a hundred environments, so no fold of a cross-validation fits them anew. It starts from the fit
to all models and takes Gauss-Newton steps (Bjorck, "Numerical methods for least squares problems", 1996) in
the space of the models, of which there are fewer than coefficients. Latencies that are left out enter neither
the residuals nor the prior.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.learning.adapt import Prior, Problem
from predictor_core.learning.choice import tune
from predictor_core.learning.crossvalidation import FOLDS, HeldOut, folds_of
from predictor_core.learning.population import LEAST_DEVICES, Members, moments
from predictor_core.learning.posterior import Floats, Gaussian, Noise, Term, linearise

ROUNDS = 3
#: Steps with the prior of a fold, each from where the last one led.
STEPS = 2
#: Rates of the device itself, not of its runtime: their priors stay wide.
_OWN = ("all:", "constant:")
_LARGEST_STEP = 1.0


@dataclass(frozen=True)
class Linear:
    """Residuals of an environment near some coefficients.

    Parameters
    ----------
    at : (d,) float64
    jacobian : (n, d) float64
        Of the errors; rows of models that were not measured are zero.
    error : (n,) float64
        Logarithm of prediction over measurement, in standard deviations of the noise.
    measured : (n,) bool
    """

    at: Floats
    jacobian: Floats
    error: Floats
    measured: NDArray[np.bool_]

    def with_noise(self, factor: float) -> Linear:
        """Return the residuals in standard deviations of a noise that is so many times as large."""
        return replace(self, jacobian=self.jacobian / factor, error=self.error / factor)

    def step(self, belief: Gaussian, kept: NDArray[np.bool_], limit: float) -> tuple[Floats, Floats]:
        """Return the posterior mean and variances under a prior, by some of the models.

        Parameters
        ----------
        belief : Gaussian
        kept : (n,) bool
        limit : float
            Error beyond which it counts linearly.
        """
        rows = self.measured & kept
        scaled = belief.rows(self.jacobian[rows])
        error = self.error[rows]
        c = error + self.jacobian[rows] @ (belief.mean - self.at)
        inverse_weight = np.maximum(1.0, np.abs(error) / limit)
        lower = np.linalg.cholesky(scaled @ scaled.T + np.diag(inverse_weight))
        half = np.linalg.solve(lower, np.column_stack([scaled, c]))
        whitened, reduced = half[:, :-1], half[:, -1]
        mean = belief.at(-whitened.T @ reduced)
        explained = belief.variance - (belief.moves(whitened) ** 2).sum(axis=0)
        variance = np.maximum(explained, 1e-9 * belief.variance)
        return self.at + np.clip(mean - self.at, -_LARGEST_STEP, _LARGEST_STEP), variance


class JointFit:
    """Environments that share a prior.

    Parameters
    ----------
    problem : Problem
    latency_ms : mapping of str to (n,) float64
        Environment -> latencies of the models, NaN where one was not measured.
    """

    def __init__(self, problem: Problem, latency_ms: Mapping[str, Floats]) -> None:
        self.problem = problem
        self.noise = problem.noise
        self.latency_ms = dict(latency_ms)
        self._own = np.array([name in _OWN for name in problem.names])
        self._common = np.array([name == "all:" for name in problem.names])
        self._deviation = np.array([problem.prior.deviation(name) for name in problem.names])
        self._limit = self.noise.linear / self.noise.relative
        mean = np.array([problem.prior.means.get(name, 0.0) for name in problem.names])
        everywhere = np.ones(problem.counts.shape[0], dtype=bool)
        self._first = belief = Gaussian(mean, self._deviation)
        self._near: dict[str, Linear] = {}
        start = None
        for environment, column in self.latency_ms.items():
            found = problem.fit(column, np.flatnonzero(np.isfinite(column)), start=start)
            start = found.mean
            self._near[environment] = self._linear(problem.terms, environment, found.mean)
        for _ in range(ROUNDS):
            belief = self._shared(belief, self._near, everywhere)
            self._near = {
                environment: self._linear(problem.terms, environment, self._step(belief, near, everywhere)[0])
                for environment, near in self._near.items()
            }
        self._belief = belief

    def members(
        self, environments: Iterable[str] | None = None, models: NDArray[np.bool_] | None = None
    ) -> Members:
        """Return the coefficients of environments, as they are without all others.

        Parameters
        ----------
        environments : iterable of str, optional
            Default: all.
        models : (n,) bool, optional
            Models that are looked at. Default: all.
        """
        near = self._near if environments is None else {name: self._near[name] for name in environments}
        kept = np.ones(self.problem.counts.shape[0], dtype=bool) if models is None else models
        return self._members(self._settled(near, kept), near, kept)

    @property
    def prior(self) -> Prior:
        """Prior of the problem with the means and deviations of the environments."""
        return self._prior_with(self._belief)

    @cached_property
    def problems(self) -> Mapping[str, Problem]:
        """The fit of each environment: what it is believed to be by the others, and its own noise.

        With fewer than three others it starts from the common mean and deviations.
        """
        if len(self.latency_ms) <= LEAST_DEVICES:
            return dict.fromkeys(self.latency_ms, replace(self.problem, prior=self.prior))
        members = self.members()
        tuned = {}
        for place, (environment, column) in enumerate(self.latency_ms.items()):
            problem = replace(self.problem, prior=self._prior_of(members, place, self.prior))
            tuned[environment] = tune(problem, column, np.flatnonzero(np.isfinite(column)))[1]
        return tuned

    def _prior_of(self, members: Members, place: int, shared: Prior) -> Prior:
        """Return the prior of an environment from the others, or the shared one if they are too few."""
        if len(members.means) <= LEAST_DEVICES:
            return shared
        return members.without(place).priors(self.problem.prior, "the others")[0]

    def cross_validate(
        self, labels: Sequence[Any] | NDArray[Any], *, folds: int = FOLDS, seed: int = 0
    ) -> dict[str, HeldOut]:
        """Predict each model by fits that have seen it in no environment.

        Parameters
        ----------
        labels : sequence
            Models of one label are left out together.
        folds, seed : int

        Returns
        -------
        dict of str to HeldOut
            For each environment, the models that were measured there, in order.
        """
        fold = folds_of(labels, min(folds, len(np.unique(np.asarray(labels)))), seed)
        predicted = {environment: np.full(len(fold), np.nan) for environment in self.latency_ms}
        deviation = {environment: np.full(len(fold), np.nan) for environment in self.latency_ms}
        for number in range(int(fold.max()) + 1):
            kept, held_out = fold != number, np.flatnonzero(fold == number)
            belief = self._settled(self._near, kept)
            members = self._members(belief, self._near, kept)
            shared = self._prior_with(belief)
            terms = [term.of_models(held_out) for term in self.problem.terms]
            squares = terms[0].values ** 2
            used = np.flatnonzero(np.asarray(abs(self.problem.counts[held_out]).sum(axis=0)).ravel())
            unknown = self.problem.rows.unknown[used[self.problem.rows.base_ms[used, 0] > 0.0]]
            for place, (environment, near) in enumerate(self._near.items()):
                own = self.problems[environment]
                prior = replace(
                    self._prior_of(members, place, shared), looseness=own.prior.looseness
                ).gaussian(self.problem.names)
                at = near.with_noise(own.noise.relative / self.noise.relative)
                for left in range(STEPS, 0, -1):
                    mean, variance = self._step(prior, at, kept)
                    if left > 1:
                        at = self._linear(self.problem.terms, environment, mean, own.noise)
                total = np.asarray(sum(term.counts @ term.items_ms(mean) for term in terms))
                of_kernels = np.sqrt(squares @ variance[terms[0].columns] + unknown)
                predicted[environment][held_out] = total
                deviation[environment][held_out] = (
                    terms[0].counts @ (terms[0].items_ms(mean) * of_kernels) / total
                )
        out = {}
        for environment, column in self.latency_ms.items():
            known = np.isfinite(column)
            out[environment] = HeldOut(
                column[known], predicted[environment][known], deviation[environment][known]
            )
        return out

    def _settled(self, near: Mapping[str, Linear], kept: NDArray[np.bool_]) -> Gaussian:
        """Estimate means and deviations from what is believed of a device of which nothing is known."""
        belief = self._first
        for _ in range(ROUNDS):
            belief = self._shared(belief, near, kept)
        return belief

    def _members(self, belief: Gaussian, near: Mapping[str, Linear], kept: NDArray[np.bool_]) -> Members:
        steps = [self._step(belief, one, kept) for one in near.values()]
        return Members(self.problem.names, np.array([s[0] for s in steps]), np.array([s[1] for s in steps]))

    def _step(self, belief: Gaussian, near: Linear, kept: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        # The common factor is not what the priors are about.
        mean = np.where(self._common, near.at, belief.mean)
        return near.step(replace(belief, mean=mean), kept, self._limit)

    def _shared(self, belief: Gaussian, near: Mapping[str, Linear], kept: NDArray[np.bool_]) -> Gaussian:
        """Estimate means and deviations over the environments (empirical Bayes)."""
        members = self._members(belief, near, kept)
        return Gaussian(*moments(members.means, members.variances, self._deviation, self._own))

    def _prior_with(self, belief: Gaussian) -> Prior:
        names = self.problem.names
        return replace(
            self.problem.prior,
            means=dict(zip(names, belief.mean.tolist())),
            deviations=dict(zip(names, belief.deviation.tolist())),
        )

    def _linear(
        self, terms: Sequence[Term], environment: str, at: Floats, noise: Noise | None = None
    ) -> Linear:
        relative = (noise or self.noise).relative
        column = self.latency_ms[environment]
        measured = np.isfinite(column)
        predicted, jacobian = linearise(terms, at)
        error = np.log(predicted / np.where(measured, column, predicted)) / relative
        return Linear(at, jacobian / relative, error, measured)
