"""Accuracy by family, as the table of the packs has it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.scripts import load_script

pytest.importorskip("scipy")

from predictor_core.kernels.estimates import KINDS
from predictor_core.learning.evaluate import Predictions
from predictor_core.predictor.hardness import PROFILE, Hardness


def test_families_are_told_apart() -> None:
    module = load_script("benchmarks/accuracy.py")
    measured = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    hard = Hardness(np.zeros((6, len(PROFILE))), np.zeros(6), np.zeros(6), np.zeros((6, len(KINDS))))
    said = Predictions(np.repeat(["a", "b"], 3), measured, measured[[0, 1, 2, 5, 4, 3]], hard)
    ends = (measured * 0.95, measured * np.array([1.1, 1.1, 0.99, 1.1, 1.1, 1.1]))
    rows = {row["family"]: row for row in module.rows_of("a device", "unseen models", said, ends)}
    assert list(rows) == ["all", "a", "b"]
    assert [row["n"] for row in rows.values()] == [6, 3, 3]
    assert rows["a"]["Spearman"] == pytest.approx(1.0)
    assert rows["b"]["Spearman"] == pytest.approx(-1.0)
    assert rows["a"]["in interval %"] == 66.7
    assert rows["b"]["in interval %"] == 100.0
