"""Folds, tables, calibration of intervals."""

from __future__ import annotations

import numpy as np
import pytest

from predictor_core.learning.crossvalidation import (
    HeldOut,
    calibrate,
    covered,
    folds_of,
    spearman,
    verdict,
    worst,
)


def test_folds_keep_labels_together_and_are_repeatable() -> None:
    labels = [i // 3 for i in range(60)]
    folds = folds_of(labels, 10, seed=1)
    assert folds.tolist() == folds_of(labels, 10, seed=1).tolist()
    assert folds.tolist() != folds_of(labels, 10, seed=2).tolist()
    assert all(len(set(folds[3 * i : 3 * i + 3])) == 1 for i in range(20))
    assert np.bincount(folds).tolist() == [6] * 10


def make_held_out(n: int, seed: int = 0) -> HeldOut:
    rng = np.random.default_rng(seed)
    measured = rng.uniform(1.0, 100.0, n)
    deviation = rng.uniform(0.01, 0.2, n)
    return HeldOut(measured, measured * np.exp(rng.normal(0.0, 0.02 + deviation)), deviation)


def test_intervals_cover_nine_in_ten_of_the_next_models() -> None:
    interval = calibrate(make_held_out(80))
    assert 86.0 <= covered(make_held_out(4000, seed=1), interval) <= 96.0
    assert interval["unfamiliar"] > 0.0


def test_few_models_give_wide_intervals() -> None:
    few = make_held_out(4)
    assert calibrate(few)["inside"] > 1.2 * np.abs(few.log_error).max() - 0.5
    assert covered(few, calibrate(few)) == 100.0


def test_table_and_worst() -> None:
    held_out = HeldOut(np.array([10.0, 20.0, 30.0]), np.array([10.4, 21.8, 45.0]), np.zeros(3))
    table = held_out.table()
    assert (table["within_5"], table["within_10"], table["spearman"]) == (33.3, 66.7, 1.0)
    assert table["mape"] == pytest.approx(21.0)
    assert worst(held_out, ["a", "b", "c"])[0] == {
        "model": "c",
        "measured_ms": 30.0,
        "predicted_ms": 45.0,
        "error": 50.0,
    }


def test_rank_correlation_shares_ranks_of_ties() -> None:
    assert spearman(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(
        0.9487, abs=1e-4
    )
    assert spearman(np.ones(3), np.arange(3.0)) == 1.0


@pytest.mark.parametrize(
    ("within", "expected"), [(92.0, "good"), (70.0, "rough"), (30.0, "not good enough to use")]
)
def test_verdict(within: float, expected: str) -> None:
    assert verdict({"within_10": within}) == expected
