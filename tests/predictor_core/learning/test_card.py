"""The card of a learned predictor: what it says of few models and of many."""

from __future__ import annotations

from typing import Any

import pytest

from predictor_core.learning.card import accuracy_lines, lower_bound


def accuracy(models: int, within_10: float) -> dict[str, Any]:
    table = {"models": models, "within_5": 50.0, "within_10": within_10, "mape": 4.0, "spearman": 0.99}
    return {"cross_validated": table, "verdict": "good"}


def test_few_models_show_little() -> None:
    lines = accuracy_lines(accuracy(3, 100.0))
    assert lines[-2] == "Verdict: good."
    assert "With 3 models it is only sure (95 % confidence) that 53 % or more" in lines[-1]
    assert accuracy_lines(accuracy(100, 95.0))[-1] == "Verdict: good."


@pytest.mark.parametrize(("share", "n", "expected"), [(1.0, 10, 0.787), (0.9, 50, 0.808), (0.0, 5, 0.0)])
def test_the_lower_bound_is_wilson_s(share: float, n: int, expected: float) -> None:
    assert lower_bound(share, n) == pytest.approx(expected, abs=0.002)
