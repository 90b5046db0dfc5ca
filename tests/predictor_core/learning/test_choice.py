"""The choice of prior, looseness and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predictor_core import load_latency_predictor
from predictor_core.learning.adapt import Prior, pose
from predictor_core.learning.choice import (
    LOOSENESS,
    choose,
    leave_one_out,
    plain_priors,
    priors_of,
    tune,
)
from predictor_core.learning.corpus import Corpus

CPU, GPU = "cortexA76cpu_tflite21", "adreno640gpu_tflite21"


@pytest.fixture(name="gaussian")
def _gaussian() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two covariances, the second one singular, and deviations."""
    rng = np.random.default_rng(0)
    root, thin = rng.normal(size=(5, 5)), rng.normal(size=(5, 2))
    return root @ root.T + np.eye(5), thin @ thin.T, rng.normal(size=5)


@pytest.mark.parametrize("scale", [0.0, 0.3, 4.0])
def test_leaving_one_out_has_a_closed_form(gaussian: tuple[np.ndarray, ...], scale: float) -> None:
    fixed, scaled, deviation = gaussian
    covariance = fixed + scale * scaled
    errors, densities = [], []
    for i in range(5):
        others = np.arange(5) != i
        gain = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        error = deviation[i] - gain @ deviation[others]
        variance = covariance[i, i] - gain @ covariance[others, i]
        errors.append(abs(error))
        densities.append(-0.5 * (np.log(2.0 * np.pi * variance) + error**2 / variance))
    found = leave_one_out(fixed, scaled, deviation, np.array([1.0, scale]))[1]
    assert found.error == pytest.approx(np.mean(errors))
    assert found.log_density == pytest.approx(np.sum(densities))


@pytest.mark.parametrize("scale", [0.0, 0.3, 4.0])
def test_the_evidence_is_that_of_one_after_the_other(gaussian: tuple[np.ndarray, ...], scale: float) -> None:
    fixed, scaled, deviation = gaussian
    covariance = fixed + scale * scaled
    total = 0.0
    for i in range(5):
        gain = np.linalg.solve(covariance[:i, :i], covariance[:i, i])
        variance = covariance[i, i] - gain @ covariance[:i, i]
        error = deviation[i] - gain @ deviation[:i]
        total -= 0.5 * (np.log(2.0 * np.pi * variance) + error**2 / variance)
    assert leave_one_out(fixed, scaled, deviation, np.array([scale]))[0].log_evidence == pytest.approx(total)


def test_a_sibling_is_believed_tightly_and_a_stranger_loosely(
    corpus: Corpus, zoo_ms: dict[str, float]
) -> None:
    source = load_latency_predictor(CPU)
    problem = pose(Prior.of(source), corpus.cut(source.rules))
    source_ms = problem.predict(np.zeros(len(problem.names)))
    sibling, stranger = (
        tune(problem, latency_ms)[1].prior.looseness
        for latency_ms in (1.7 * source_ms, np.array(list(zoo_ms.values())))
    )
    assert sibling < stranger


def test_few_measurements_that_agree_are_no_sign_of_a_twin(corpus: Corpus) -> None:
    source = load_latency_predictor(CPU)
    problem = pose(Prior.of(source), corpus.cut(source.rules))
    latency_ms = 1.7 * problem.predict(np.zeros(len(problem.names)))
    assert tune(problem, latency_ms, np.arange(3))[1].prior.looseness > LOOSENESS[1]


def test_a_population_has_worse_odds_the_more_it_claims() -> None:
    priors = {prior.label: prior for prior in priors_of([load_latency_predictor(CPU)])}
    alike, varying = (priors[f"{CPU}, {how} TFLite 2.10 fp32"] for how in ("as", "varying as"))
    assert alike.odds < varying.odds < priors[CPU].odds


def test_mixtures_and_populations_are_among_the_candidates() -> None:
    sources = [load_latency_predictor(CPU), load_latency_predictor(GPU)]
    labels = [prior.label for prior in priors_of(sources)]
    assert labels[:4] == [CPU, GPU, f"{CPU}, mixed with {GPU}", f"{GPU}, mixed with {CPU}"]
    assert f"{CPU}, as TFLite 2.10 fp32" in labels
    assert [prior.label for prior in plain_priors(sources[:1])] == [CPU]


def test_the_same_is_chosen_with_the_same_seed(corpus: Corpus, zoo_ms: dict[str, float]) -> None:
    latency_ms = np.array(list(zoo_ms.values()))
    latency_ms[3] = np.nan
    priors = plain_priors([load_latency_predictor(CPU), load_latency_predictor(GPU)])
    first, second = (choose(corpus, latency_ms, priors, seed=1) for _ in range(2))
    assert first.compared == second.compared
    assert first.problem.prior == second.problem.prior
    assert first.problem.counts.shape[0] == len(corpus)
    assert replace(first.problem.prior, looseness=1.0).sources[0].name == CPU
