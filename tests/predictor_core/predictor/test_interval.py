from __future__ import annotations

import numpy as np
import pytest

from predictor_core.predictor.interval import interval

HEADER = {
    "constant_ms": 1.0,
    "interval": {
        "inside": 0.05,
        "outside": 0.3,
        "estimated": 0.7,
        "unfamiliar": 0.2,
        "spread_scale": 0.01,
    },
}


def half_width(
    latencies_ms: list[float],
    measured: list[bool] | None = None,
    outside: list[bool] | None = None,
    spread: list[float] | None = None,
) -> float:
    n = len(latencies_ms)
    low_ms, high_ms = interval(
        HEADER,
        np.array(latencies_ms),
        np.array(measured or [True] * n),
        np.array(outside or [False] * n),
        np.array(spread or [0.0] * n),
    )
    total_ms = sum(latencies_ms) + 1.0
    assert low_ms * high_ms == pytest.approx(total_ms**2)
    return float(np.log(high_ms / low_ms)) / 2


def test_kernels_inside_the_training_range_have_the_smallest_width() -> None:
    assert half_width([3.0, 5.0]) == pytest.approx(0.05)


def test_shares_of_the_latency_weigh() -> None:
    assert half_width([4.0, 5.0], outside=[True, False]) == pytest.approx(0.05 + 0.4 * 0.25)
    assert half_width([4.0, 5.0], measured=[False, True]) == pytest.approx(0.05 + 0.4 * 0.65)


def test_an_estimate_outside_the_range_is_an_estimate() -> None:
    assert half_width([9.0], measured=[False], outside=[True]) == half_width([9.0], measured=[False])


def test_disagreement_of_the_trees_widens_up_to_a_limit() -> None:
    widths = [half_width([9.0], spread=[spread]) for spread in (0.0, 0.001, 0.01, 0.1, 10.0)]
    assert widths == sorted(widths)
    assert widths[0] < widths[1]
    assert widths[-1] == pytest.approx(0.25)


def test_a_model_without_latency_has_no_width() -> None:
    header = {**HEADER, "constant_ms": 0.0}
    none = np.array([])
    assert interval(header, none, none.astype(bool), none.astype(bool), none) == (0.0, 0.0)
