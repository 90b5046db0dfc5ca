"""The solver: sums of terms, priors, outliers."""

from __future__ import annotations

import numpy as np
import pytest

from predictor_core.learning.posterior import Gaussian, Noise, Term, maximum_posterior, predict


def make_terms(n: int = 60) -> list[Term]:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, (n, 6)).astype(float)
    values = np.zeros((6, 4))
    values[:, 0] = 1.0
    values[np.arange(6), 1 + np.arange(6) % 3] = 1.0
    work = Term(counts, rng.uniform(0.5, 2.0, 6), values, np.arange(4))
    constant = Term(np.ones((n, 1)), np.array([1.0]), np.ones((1, 1)), np.array([4]))
    return [work, constant]


def test_it_finds_the_law() -> None:
    terms = make_terms()
    truth = np.array([0.5, 0.3, -0.4, 0.1, 0.7])
    latency_ms = predict(terms, truth)
    found = maximum_posterior(terms, latency_ms, np.ones(60), Gaussian(np.zeros(5), np.full(5, 2.0)))
    assert predict(terms, found.mean) == pytest.approx(latency_ms, rel=5e-3)


def test_an_outlier_counts_linearly() -> None:
    terms = make_terms()
    latency_ms = predict(terms, np.array([0.5, 0.3, -0.4, 0.1, 0.7]))
    spoilt = latency_ms.copy()
    spoilt[0] *= 100.0
    found = maximum_posterior(
        terms, spoilt, np.ones(60), Gaussian(np.zeros(5), np.full(5, 2.0)), Noise(0.03, 0.1)
    )
    assert predict(terms, found.mean)[1:] == pytest.approx(latency_ms[1:], rel=0.03)


def test_what_no_measurement_touches_stays_at_the_prior() -> None:
    terms = make_terms()
    unused = Term(np.zeros((60, 1)), np.array([1.0]), np.ones((1, 1)), np.array([5]))
    latency_ms = predict(terms, np.array([0.5, 0.3, -0.4, 0.1, 0.7, 0.0]))
    prior = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.25])
    found = maximum_posterior([*terms, unused], latency_ms, np.ones(60), Gaussian(prior, np.full(6, 0.5)))
    assert found.mean[5] == pytest.approx(0.25)
    assert found.variance[5] == pytest.approx(0.25)
    assert found.variance[0] < 0.25


def test_one_measurement_moves_all_that_goes_together() -> None:
    work = Term(np.array([[1.0, 0.0]]), np.array([1.0, 1.0]), np.eye(2), np.arange(2))
    together = Gaussian(np.zeros(2), np.full(2, 0.05), np.array([[0.5, -0.5]]))
    found = maximum_posterior([work], np.array([1.5]), np.ones(1), together, Noise(0.01, 1.0))
    assert found.mean[0] == pytest.approx(np.log(1.5), rel=0.02)
    assert found.mean[1] == pytest.approx(-np.log(1.5), rel=0.02)
    assert found.variance == pytest.approx([1e-4, 2 * 0.05**2], rel=0.1)


def test_few_and_many_models_are_solved_alike() -> None:
    """With 60 models the system is solved by coefficients, with copies of four of them by models."""
    terms = make_terms()
    latency_ms = predict(terms, np.array([0.5, 0.3, -0.4, 0.1, 0.7]))
    prior = Gaussian(np.zeros(5), np.full(5, 0.3), np.full((2, 5), 0.1))
    few = np.arange(4)
    by_models = maximum_posterior([t.of_models(few) for t in terms], latency_ms[few], np.ones(4), prior)
    often = np.tile(few, 4)
    weights = np.full(16, 0.25)
    by_coefficients = maximum_posterior(
        [t.of_models(often) for t in terms], latency_ms[often], weights, prior
    )
    assert by_coefficients.mean == pytest.approx(by_models.mean, abs=1e-3)
    assert by_coefficients.variance == pytest.approx(by_models.variance, rel=1e-3)
