"""Joint learning: environments that run the same code learn from each other.

What a runtime does alike on all devices (how much slower a small convolution is than its arithmetic says,
what a softmax costs) is the same correction everywhere; what differs are rates. So the coefficients of an
environment have a common mean and, each, a variance over the environments, and both are estimated from all
of them (empirical Bayes, by expectation maximisation). Each environment keeps a header of its own; they share
the design.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import LearningError
from predictor_core.learning.adapt import Prior, Problem, pose
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.crossvalidation import FOLDS, HeldOut, folds_of
from predictor_core.learning.learn import (
    LEAST_MODELS,
    Evidence,
    candidates,
    check_against_source,
    choose_source,
    finish,
)
from predictor_core.learning.posterior import Floats, Posterior
from predictor_core.predictor.latency import LatencyPredictor
from predictor_core.predictor.learned import LearnedPredictor

ROUNDS = 3
#: Least standard deviation of a coefficient over the environments.
_LEAST_DEVIATION = 0.02
#: Rates of the device itself, not of its runtime: their priors stay wide.
_OWN = ("all:", "constant:")
#: Environments that choose the source for all.
_CHOOSERS = 3


def share_prior(
    problem: Problem,
    latency_ms: Mapping[str, Floats],
    *,
    models: NDArray[np.bool_] | None = None,
    rounds: int = ROUNDS,
) -> Prior:
    """Estimate the prior of a runtime from environments that run it.

    Parameters
    ----------
    problem : Problem
    latency_ms : mapping of str to (n,) float64
        Environment -> latencies of the models, NaN where one was not measured.
    models : (n,) bool, optional
        Models to look at; default: all.
    rounds : int
        Of the estimation.

    Returns
    -------
    Prior
        That of the problem, with means and deviations; for environments that are not among these, too.
    """
    names = problem.names
    own = np.array([name in _OWN for name in names])
    base = np.array([problem.prior.deviation(name) for name in names])
    found: dict[str, Posterior] = {}
    prior = problem.prior
    for _ in range(rounds):
        current = replace(problem, prior=prior)
        for environment, column in latency_ms.items():
            start = found[environment].mean if environment in found else None
            found[environment] = current.fit(column, _measured(column, models), start=start)
        means = np.array([one.mean for one in found.values()])
        variances = np.array([np.diag(one.covariance) for one in found.values()])
        n = len(found)
        # The mean itself is uncertain: what few environments say is drawn towards the source.
        within = ((means - means.mean(axis=0)) ** 2 + variances).mean(axis=0)
        mean = means.mean(axis=0) / (1.0 + within / n / base**2)
        spread = np.sqrt(((means - mean) ** 2 + variances).mean(axis=0) * (n + 1.0) / n)
        mean[own], spread[own] = 0.0, base[own]
        spread = np.clip(spread, _LEAST_DEVIATION, base)
        prior = replace(
            prior,
            means={name: float(value) for name, value in zip(names, mean)},
            deviations={name: float(value) for name, value in zip(names, spread)},
        )
    return prior


def cross_validate_jointly(
    problem: Problem,
    latency_ms: Mapping[str, Floats],
    labels: Sequence[Any] | NDArray[Any],
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> dict[str, HeldOut]:
    """Predict each model by fits that have seen it in no environment.

    Parameters
    ----------
    problem : Problem
    latency_ms : mapping of str to (n,) float64
    labels : sequence
        Models of one label are left out together.
    folds, seed : int

    Returns
    -------
    dict of str to HeldOut
        For each environment, the models that were measured there, in order.
    """
    fold = folds_of(labels, min(folds, len(np.unique(np.asarray(labels)))), seed)
    n = len(fold)
    predicted = {environment: np.full(n, np.nan) for environment in latency_ms}
    spread = {environment: np.full(n, np.nan) for environment in latency_ms}
    for number in range(int(fold.max()) + 1):
        asked = np.flatnonzero(fold == number)
        prior = share_prior(problem, latency_ms, models=fold != number, rounds=ROUNDS - 1)
        current = replace(problem, prior=prior)
        for environment, column in latency_ms.items():
            found = current.fit(column, _measured(column, fold != number))
            predicted[environment][asked] = current.predict(found.mean, asked)
            spread[environment][asked] = current.spread(found, asked)
    out = {}
    for environment, column in latency_ms.items():
        known = np.flatnonzero(np.isfinite(column))
        out[environment] = HeldOut(column[known], predicted[environment][known], spread[environment][known])
    return out


def learn_environments(
    corpus: Corpus,
    latency_ms: Mapping[str, Floats],
    *,
    names: Mapping[str, str],
    like: str | LatencyPredictor | Sequence[str | LatencyPredictor] | None = None,
    seed: int = 0,
    category: str | None = None,
    facts: Mapping[str, Any] | None = None,
    check: bool = True,
) -> dict[str, LearnedPredictor]:
    """Learn several environments of one runtime together.

    Parameters
    ----------
    corpus : Corpus
        All models that were measured anywhere.
    latency_ms : mapping of str to (n,) float64
        Environment -> latency of each model of the corpus in ms, NaN where it was not measured.
    names : mapping of str to str
        Environment -> name of its predictor.
    like, seed, category, facts
        As for `predictor_core.learning.learn.learn_device`.
    check : bool
        Notice wrong units against the source.

    Returns
    -------
    dict of str to LearnedPredictor
        By environment.

    Raises
    ------
    LearningError
        An environment has fewer than three models.
    """
    for environment, column in latency_ms.items():
        measured = np.isfinite(column)
        if measured.sum() < LEAST_MODELS:
            raise LearningError(
                f"{int(measured.sum())} models were measured on {environment}; at least {LEAST_MODELS} are "
                "needed to learn"
            )
        if (column[measured] <= 0.0).any():
            raise LearningError(f"a latency of {environment} is not positive; expected ms")
    problem = _common_problem(corpus, latency_ms, candidates(like), seed)
    if check:
        for column in latency_ms.values():
            check_against_source(problem, corpus, column)
    same = corpus.cut(problem.prior.sources[0].rules).same()
    held_out = cross_validate_jointly(problem, latency_ms, same, seed=seed)
    left_out = {}
    if LEAST_MODELS <= len(np.unique(corpus.families)) < len(corpus):
        left_out = cross_validate_jointly(problem, latency_ms, corpus.families, seed=seed)
    shared = replace(problem, prior=share_prior(problem, latency_ms))
    return {
        environment: finish(
            shared,
            corpus,
            column,
            name=names[environment],
            seed=seed,
            category=category,
            facts={**(facts or {}), "environments": len(latency_ms)},
            evidence=Evidence(held_out[environment], left_out.get(environment)),
        )
        for environment, column in latency_ms.items()
    }


def _common_problem(
    corpus: Corpus, latency_ms: Mapping[str, Floats], sources: Sequence[LatencyPredictor], seed: int
) -> Problem:
    if len(sources) == 1:
        return pose(Prior.of(sources[0]), corpus.cut(sources[0].rules))
    votes: dict[str, float] = {}
    problems = {}
    for environment in sorted(latency_ms)[:: max(1, len(latency_ms) // _CHOOSERS)][:_CHOOSERS]:
        chosen = choose_source(corpus, latency_ms[environment], sources, seed)
        name = chosen.problem.prior.sources[0].name
        problems[name] = chosen.problem
        votes[name] = votes.get(name, 0.0) + 1.0
    return problems[max(votes, key=lambda one: (votes[one], one))]


def _measured(column: Floats, models: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    known = np.isfinite(column)
    return np.flatnonzero(known if models is None else known & models)
