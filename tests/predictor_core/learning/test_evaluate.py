from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from predictor_core.kernels.estimates import KINDS
from predictor_core.learning.calibrate import calibrate, conformal
from predictor_core.learning.evaluate import Predictions, accuracy
from predictor_core.predictor.hardness import PROFILE, Hardness
from predictor_core.predictor.interval import Sides, Widths


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


FAMILIES = ("small", "middle", "large")
ESTIMATES = {name: Sides(0.7, 0.7) for name in KINDS}


def predictions(
    rng: np.random.Generator, n: int, family: int, error: float, bias: float = 0.0, deviation: float = 0.0
) -> Predictions:
    """Models of one family: their profiles differ in size, which tells the families apart."""
    measured = rng.uniform(10, 100, n)
    profile = rng.normal(0.0, 0.1, (n, len(PROFILE)))
    profile[:, PROFILE.index("log_ms")] += 3.0 * family
    hard = Hardness(profile, np.zeros(n), rng.uniform(0.5, 1.5, n) * deviation, np.zeros((n, len(KINDS))))
    predicted = measured * np.exp(rng.normal(bias, error, n))
    return Predictions(np.repeat(FAMILIES[family], n), measured, predicted, hard)


def together(parts: Sequence[Predictions]) -> Predictions:
    arrays = [part.arrays() for part in parts]
    return Predictions.from_arrays({key: np.concatenate([one[key] for one in arrays]) for key in arrays[0]})


def covered(said: Predictions, widths: Widths) -> float:
    low, high = said.interval_ms(widths)
    return float(((low <= said.measured_ms) & (said.measured_ms <= high)).mean())


def test_intervals_hold_for_each_family_and_for_families_left_out() -> None:
    rng = np.random.default_rng(0)
    errors = (0.01, 0.03, 0.09)

    def known(n: int) -> list[Predictions]:
        return [predictions(rng, n, family, error, deviation=0.0005) for family, error in enumerate(errors)]

    def strange(n: int) -> dict[str, Predictions]:
        return {
            name: predictions(rng, n, family, 0.05, bias=(-0.1, 0.0, 0.2)[family], deviation=0.02)
            for family, name in enumerate(FAMILIES)
        }

    left_out = strange(500)
    widths = calibrate(together(known(200)), left_out, ESTIMATES)
    for error, said in zip(errors, known(2000)):
        assert 0.84 <= covered(said, widths) <= 0.96
        half = widths.half(said.hard)
        assert (half.below + half.above).mean() < 2.4 * 1.645 * error
    for family, said in strange(2000).items():
        assert covered(said, widths.without(family)) > 0.8
    assert widths.estimated == ESTIMATES
    assert calibrate(together(known(200)), left_out, ESTIMATES).facts["families_left_out"] == sorted(FAMILIES)


def test_errors_to_one_side_give_widths_to_one_side() -> None:
    rng = np.random.default_rng(0)
    said = predictions(rng, 400, 0, 0.01, bias=0.05)
    known = calibrate(said, {}, ESTIMATES).groups[0].known
    # What was predicted 5 % too slow lies below the prediction.
    assert known.below == pytest.approx(0.05 + 1.645 * 0.01, abs=0.005)
    assert known.above < 0.01


def test_the_conformal_quantile_of_few_values_is_the_largest() -> None:
    assert conformal(np.arange(5.0), 0.95) == 4.0
    assert conformal(np.arange(1.0, 100.0), 0.9) == 90.0
