"""The solver: sums of terms, priors, outliers."""

from __future__ import annotations

import numpy as np
import pytest

from predictor_core.learning.posterior import Noise, Term, maximum_posterior, predict


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
    found = maximum_posterior(terms, latency_ms, np.ones(60), np.zeros(5), np.full(5, 2.0))
    assert predict(terms, found.mean) == pytest.approx(latency_ms, rel=5e-3)


def test_an_outlier_counts_linearly() -> None:
    terms = make_terms()
    latency_ms = predict(terms, np.array([0.5, 0.3, -0.4, 0.1, 0.7]))
    spoilt = latency_ms.copy()
    spoilt[0] *= 100.0
    found = maximum_posterior(terms, spoilt, np.ones(60), np.zeros(5), np.full(5, 2.0), Noise(0.03, 0.1))
    assert predict(terms, found.mean)[1:] == pytest.approx(latency_ms[1:], rel=0.03)


def test_what_no_measurement_touches_stays_at_the_prior() -> None:
    terms = make_terms()
    unused = Term(np.zeros((60, 1)), np.array([1.0]), np.ones((1, 1)), np.array([5]))
    latency_ms = predict(terms, np.array([0.5, 0.3, -0.4, 0.1, 0.7, 0.0]))
    prior = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.25])
    found = maximum_posterior([*terms, unused], latency_ms, np.ones(60), prior, np.full(6, 0.5))
    assert found.mean[5] == pytest.approx(0.25)
    assert found.covariance[5, 5] == pytest.approx(0.25)
    assert found.covariance[0, 0] < 0.25
