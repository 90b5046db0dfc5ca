"""Learn environments of one runtime together; see `predictor_core.learning.leaveout`.

Each environment keeps a header of its own; they share the design.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from predictor_core.errors import LearningError
from predictor_core.learning.adapt import CENTERS, Prior, Problem, pose
from predictor_core.learning.choice import candidates, choose
from predictor_core.learning.corpus import Corpus, Cut
from predictor_core.learning.learn import LEAST_MODELS, Evidence, check_against_source, finish
from predictor_core.learning.leaveout import JointFit
from predictor_core.learning.posterior import Floats
from predictor_core.predictor.design import effect_kind
from predictor_core.predictor.latency import LatencyPredictor
from predictor_core.predictor.learned import LearnedPredictor

#: Environments that choose the source for all.
_CHOOSERS = 3
#: Of corrections of neighbours that many environments share: length, standard deviation, centers over those
#: of one device.
_LENGTH, _NEAR, _MORE_CENTERS = 0.7, 0.4, 3


def learn_environments(
    corpus: Corpus,
    latency_ms: Mapping[str, Floats],
    *,
    names: Mapping[str, str],
    like: str | LatencyPredictor | Sequence[str | LatencyPredictor] | None = None,
    seed: int = 0,
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
    like, seed, facts
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
    fit = JointFit(problem, latency_ms)
    tells_families = LEAST_MODELS <= len(np.unique(corpus.families)) < len(corpus)
    evidence = evidence_of(fit, corpus, seed, families=tells_families)
    return {
        environment: finish(
            fit.problems[environment],
            corpus,
            column,
            name=names[environment],
            seed=seed,
            facts={**(facts or {}), "environments": len(latency_ms)},
            evidence=evidence[environment],
        )
        for environment, column in latency_ms.items()
    }


def evidence_of(fit: JointFit, corpus: Corpus, seed: int, *, families: bool = True) -> dict[str, Evidence]:
    """Predict the models of a corpus by fits that have seen them, or their families, in no environment."""
    held_out = fit.cross_validate(corpus.cut(fit.problem.prior.sources[0].rules).same(), seed=seed)
    left_out = fit.cross_validate(corpus.families, seed=seed) if families else {}
    return {one: Evidence(found, left_out.get(one)) for one, found in held_out.items()}


def _common_problem(
    corpus: Corpus, latency_ms: Mapping[str, Floats], sources: Sequence[LatencyPredictor], seed: int
) -> Problem:
    """Pose the fit from the source that most of some environments choose."""
    priors = [Prior.of(source) for source in sources]
    votes = Counter(
        choose(corpus, latency_ms[environment], priors, seed).problem.prior.label
        for environment in sorted(latency_ms)[:: max(1, len(latency_ms) // _CHOOSERS)][:_CHOOSERS]
    )
    best = max(priors, key=lambda prior: (votes[prior.label], prior.label))
    return pose_jointly(best, corpus.cut(best.sources[0].rules))


def pose_jointly(prior: Prior, cut: Cut) -> Problem:
    """Set up the fit of many environments, whose measurements together tell finer corrections apart."""
    if not prior.centers:
        prior = replace(prior, length=_LENGTH)
    problem = pose(prior, cut, {name: _MORE_CENTERS * limit for name, limit in CENTERS.items()})
    near = {name: _NEAR for name in problem.names if effect_kind(name) == "near"}
    return replace(problem, prior=replace(problem.prior, deviations={**near, **problem.prior.deviations}))
