from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predictor_core.learning.calibrate import calibrate
from predictor_core.learning.evaluate import Predictions, accuracy, by_family


def test_accuracy_of_known_errors() -> None:
    measured = np.array([10.0, 20.0, 40.0, 100.0])
    found = accuracy(measured * np.array([1.04, 0.92, 1.0, 1.3]), measured)
    assert found.models == 4
    assert found.within_5 == 50.0
    assert found.within_10 == 75.0
    assert found.rmspe == pytest.approx(100 * np.sqrt((0.04**2 + 0.08**2 + 0.3**2) / 4))
    assert found.rmse_ms == pytest.approx(np.sqrt((0.4**2 + 1.6**2 + 30.0**2) / 4))
    assert found.bias == pytest.approx(6.5)
    assert found.spearman == pytest.approx(1.0)
    assert "covered" not in found.to_dict()


def test_families_are_told_apart() -> None:
    measured = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    families = np.array(["a", "a", "a", "b", "b", "b"])
    ends = (measured * 0.95, measured * np.array([1.1, 1.1, 0.99, 1.1, 1.1, 1.1]))
    found = by_family(measured[[0, 1, 2, 5, 4, 3]], measured, families, ends)
    assert found["a"].spearman == pytest.approx(1.0)
    assert found["b"].spearman == pytest.approx(-1.0)
    assert found["a"].covered == pytest.approx(200 / 3)
    assert found["b"].covered == 100.0


def predictions(rng: np.random.Generator, n: int, error: float, spread: float, outside: float) -> Predictions:
    measured = rng.uniform(10, 100, n)
    return Predictions(
        np.repeat("f", n),
        measured,
        measured * np.exp(rng.normal(0, error, n)),
        np.full(n, outside),
        rng.uniform(0.5, 1.5, n) * spread,
        np.zeros(n),
    )


def test_what_the_peak_rates_bound_is_as_unsure_as_an_estimate() -> None:
    said = predictions(np.random.default_rng(0), 3, 0.0, 0.0, 0.0)
    widths = {"inside": 0.02, "outside": 0.3, "estimated": 0.7, "unfamiliar": 0.0, "spread_scale": 1.0}
    half = replace(said, bounded=np.array([0.0, 0.5, 1.0])).half_width(widths)
    np.testing.assert_allclose(half, [0.02, 0.36, 0.7])


def test_intervals_are_calibrated_on_both_sorts_of_unseen_models() -> None:
    rng = np.random.default_rng(0)
    known = predictions(rng, 2000, 0.02, 0.0002, 0.0)
    left_out = [predictions(rng, 500, 0.08, 0.01, share) for share in (0.0, 0.1, 0.3)]
    widths = calibrate(known, left_out)
    fresh = predictions(rng, 2000, 0.02, 0.0002, 0.0)
    low, high = fresh.interval_ms(widths)
    covered = ((low <= fresh.measured_ms) & (fresh.measured_ms <= high)).mean()
    assert 0.88 <= covered <= 0.93
    assert (high / low).mean() < 1.15
    strange = predictions(rng, 2000, 0.08, 0.01, 0.1)
    low, high = strange.interval_ms(widths)
    assert ((low <= strange.measured_ms) & (strange.measured_ms <= high)).mean() > 0.8
    assert widths["outside"] > widths["inside"] > 0
