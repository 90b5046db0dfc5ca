"""Which prior a device starts from, how loose it is, and how noisy the measurements are.

Looseness and noise are chosen by cross-validation: each measurement is predicted from the others, and the
choice is that under which they are likeliest. Among priors the marginal likelihood decides: it also counts
how well the first measurements are predicted, before there are others that would correct a wrong prior. The
fits are not repeated for it. Near the coefficients of a first fit the logarithms of the latencies are linear
in the coefficients, hence Gaussian, and for a Gaussian both have a closed form (Rasmussen and Williams,
"Gaussian processes for machine learning", 2006, sections 5.4.1 and 5.4.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.catalog.loading import load_latency_predictor, load_shared
from predictor_core.catalog.lookup import list_latency_predictors
from predictor_core.errors import LearningError
from predictor_core.learning.adapt import RATES, Prior, Problem, pose
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.population import known_populations
from predictor_core.learning.posterior import Floats, Gaussian, Noise, linearise
from predictor_core.predictor.latency import LatencyPredictor
from predictor_core.predictor.learned import LearnedPredictor

#: Factors on the deviations of the prior that are tried: a sibling differs by less than a stranger does.
LOOSENESS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4)
#: Logarithms of their odds, log-normal: five measurements that agree by chance are no sign of a twin.
_LOOSENESS_ODDS = tuple(-0.5 * (log(looseness / 0.7) / 0.7) ** 2 for looseness in LOOSENESS)
#: Noises that are tried, of one thread and of many, with the logarithms of their odds: a few measurements
#: that a prior does not explain are no sign of noise. Beyond three deviations an error counts linearly.
NOISES = {Noise(0.02, 0.067): 0.0, Noise(0.03, 0.1): -0.5, Noise(0.06, 0.2): -1.5}
#: Fits, each linearised for the next choice.
_ROUNDS = 2
#: Models that the choice among priors looks at, and that of looseness and noise.
_MOST_COMPARED, _MOST_MODELS = 48, 200


@dataclass(frozen=True)
class Score:
    """How well measurements are predicted from the others.

    Parameters
    ----------
    log_density : float
        Sum of the logarithms of the densities that they had, and of the odds of looseness and noise.
    error : float
        Mean absolute log error.
    log_evidence : float
        Logarithm of the marginal likelihood of all measurements, at the looseness and noise where it is
        highest, and of their odds.
    """

    log_density: float
    error: float
    log_evidence: float = -np.inf


@dataclass(frozen=True)
class Chosen:
    """A prior with its looseness and noise, ready to fit, and how the candidates compared.

    Parameters
    ----------
    problem : Problem
    compared : dict of str to float
        Label of the prior -> mean absolute log error of measurements predicted from the others, in percent.
    """

    problem: Problem
    compared: Mapping[str, float]


def candidates(
    like: str | LatencyPredictor | Sequence[str | LatencyPredictor] | None,
) -> list[LatencyPredictor]:
    """Predictors to start from: those named, or the latest version of every embedded one.

    Raises
    ------
    LearningError
        One of them is not a predictor that a device can be learned from.
    """
    if like is None or like == "auto":
        names = dict.fromkeys(
            (entry["name"], str(entry["version"])) for entry in list_latency_predictors() if "pack" in entry
        )
        return [load_shared(*key) for key in names]
    given = [like] if isinstance(like, (str, LatencyPredictor)) else list(like)
    found = []
    for one in given:
        source = load_latency_predictor(one) if isinstance(one, str) else one
        if not isinstance(source, LatencyPredictor):
            raise LearningError(
                f"{getattr(source, 'name', source)} {getattr(source, 'version', '')} has no analytic base to "
                "start from; choose a version 2.0 or a learned predictor"
            )
        found.append(source)
    return found


def plain_priors(sources: Sequence[LatencyPredictor]) -> list[Prior]:
    """Return what a device may be like: each of some predictors, and each mixed with the others."""
    found = [Prior.of(source) for source in sources]
    plain = [source for source in sources if not isinstance(source, LearnedPredictor)]
    if len(plain) > 1:
        found += [Prior.of(one, [other for other in plain if other is not one]) for one in plain]
    return found


def priors_of(sources: Sequence[LatencyPredictor]) -> list[Prior]:
    """Return `plain_priors`, and the known populations that start from the sources."""
    plain = {source.sha256 for source in sources if not isinstance(source, LearnedPredictor)}
    known = [prior for priors in known_populations().values() for prior in priors]
    return [*plain_priors(sources), *(prior for prior in known if prior.sources[0].sha256 in plain)]


def choose(
    corpus: Corpus,
    latency_ms: Floats,
    priors: Sequence[Prior],
    seed: int = 0,
) -> Chosen:
    """Choose among priors.

    Parameters
    ----------
    corpus : Corpus
    latency_ms : (n,) float64
        NaN where a model was not measured.
    priors : sequence of Prior
    seed : int
        Of the models that are looked at, where there are many.
    """
    known = np.random.default_rng(seed).permutation(np.flatnonzero(np.isfinite(latency_ms)))
    some = np.sort(known[:_MOST_COMPARED])
    part, measured = corpus.only(some), latency_ms[some]
    posed: dict[Any, Problem] = {}
    best: tuple[Score, Prior, Problem] | None = None
    compared = {}
    for prior in priors:
        # Priors over the same sources and centers have the same design.
        key = (prior.sources, tuple(sorted(prior.centers.items())), tuple(prior.means))
        if key not in posed:
            posed[key] = pose(prior, part.cut(prior.sources[0].rules))
        problem = posed[key]
        own = replace(prior, centers=problem.prior.centers)
        score, tuned = tune(replace(problem, prior=own), measured)
        compared[prior.label] = round(100.0 * score.error, 2)
        score = replace(score, log_evidence=score.log_evidence + prior.odds)
        if best is None or score.log_evidence > best[0].log_evidence:
            best = score, prior, tuned
    if best is None:
        raise LearningError("no predictor to start from")
    _, prior, chosen = best
    if len(some) < len(latency_ms):
        chosen = pose(prior, corpus.cut(prior.sources[0].rules))
        chosen = tune(chosen, latency_ms, np.sort(known[:_MOST_MODELS]))[1]
    return Chosen(chosen, compared)


def tune(
    problem: Problem,
    latency_ms: Floats,
    models: NDArray[np.intp] | None = None,
) -> tuple[Score, Problem]:
    """Return the problem with the looseness and the noise that predict measurements best from the others.

    Parameters
    ----------
    problem : Problem
    latency_ms : (n,) float64
        Of all models; only those of `models` are looked at.
    models : (m,) integers, optional
        Default: all.
    """
    chosen = np.arange(len(latency_ms)) if models is None else models
    measured = latency_ms[chosen]
    terms = [term.of_models(chosen) for term in problem.terms]
    current, start = problem, None
    score = Score(-np.inf, np.inf)
    for _ in range(_ROUNDS):
        found = current.fit(latency_ms, models, start=start)
        start = found.mean
        predicted, jacobian = linearise(terms, found.mean)
        log_error = np.log(predicted / measured)
        prior = replace(current, prior=replace(current.prior, looseness=1.0)).prior_of(terms, measured)
        at_mean = log_error + jacobian @ (prior.mean - found.mean)
        fixed, scaled = _covariances(prior, jacobian, np.isin(problem.names, RATES))
        score, log_evidence = Score(-np.inf, np.inf), -np.inf
        for one, odds in NOISES.items():
            scatter = one.relative**2 * np.maximum(1.0, np.abs(log_error) / one.linear)
            found_scores = leave_one_out(fixed + np.diag(scatter), scaled, at_mean, np.square(LOOSENESS))
            for looseness, own_odds, tried in zip(LOOSENESS, _LOOSENESS_ODDS, found_scores):
                log_evidence = max(log_evidence, tried.log_evidence + odds + own_odds)
                if tried.log_density + odds + own_odds > score.log_density:
                    score = replace(tried, log_density=tried.log_density + odds + own_odds)
                    current = replace(problem, noise=one, prior=replace(problem.prior, looseness=looseness))
        score = replace(score, log_evidence=log_evidence)
    return score, current


def leave_one_out(fixed: Floats, scaled: Floats, deviation: Floats, scales: Floats) -> list[Score]:
    """Score each of some jointly Gaussian numbers by the others, and all of them together.

    Their covariance is ``fixed + scale * scaled``; both are made diagonal at once, so that a further scale
    costs no factorisation.

    Parameters
    ----------
    fixed, scaled : (n, n) float64
        Positive definite, and semidefinite.
    deviation : (n,) float64
        From the mean.
    scales : (m,) float64
        Not negative.

    Returns
    -------
    list of Score
        Of each scale, without odds.
    """
    lower = np.linalg.cholesky(fixed)
    inverse = np.linalg.inv(lower)
    size, axes = np.linalg.eigh(inverse @ scaled @ inverse.T)
    whitening = inverse.T @ axes
    own = whitening.T @ deviation
    # One row a scale. Rounding leaves some sizes below zero.
    weight = 1.0 / (1.0 + scales[:, None] * np.maximum(size, 0.0))
    precision = weight @ (whitening**2).T
    error = (weight * own) @ whitening.T / precision
    constant = np.log(2.0 * np.pi)
    density = 0.5 * (np.log(precision) - precision * error**2 - constant)
    spread = 2.0 * np.log(np.diag(lower)).sum() - np.log(weight).sum(axis=1)
    evidence = -0.5 * (weight @ own**2 + spread + len(deviation) * constant)
    return [
        Score(float(one.sum()), float(np.abs(off).mean()), float(all_of_them))
        for one, off, all_of_them in zip(density, error, evidence)
    ]


def _covariances(prior: Gaussian, jacobian: Floats, rates: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return prior covariances of the log latencies: what looseness does not scale, and the rest."""
    own = jacobian * np.where(rates, prior.deviation, 0.0)
    rest = replace(prior, deviation=np.where(rates, 0.0, prior.deviation)).rows(jacobian)
    return own @ own.T, rest @ rest.T
