"""The analytic base: linear in its terms, by window, and strict about what a pack says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from predictor_core import kernels
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.base import AnalyticBase

BASE = AnalyticBase(("macs", "launch"), (1, 9), ((1e-6, 0.5), (2e-6, 0.25)))


def conv(kernel: int) -> KernelSpec:
    return KernelSpec("conv", "conv", ((1, 10, 10, 3),), (1, 10, 10, 7), kernel=(kernel, kernel))


@pytest.mark.parametrize(
    ("kernel", "expected_ms"),
    [(1, 2100e-6 + 0.5), (2, 8400 * 2e-6 + 0.25), (3, 18900 * 2e-6 + 0.25), (5, 52500 * 2e-6 + 0.25)],
)
def test_a_kernel_takes_the_coefficients_of_the_next_larger_window(kernel: int, expected_ms: float) -> None:
    spec = conv(kernel)
    np.testing.assert_allclose(BASE.latency_ms([spec], [kernels.cost(spec)]), [expected_ms])


def test_a_header_keeps_it() -> None:
    assert AnalyticBase.from_header(BASE.to_header()) == BASE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": ["macs", "luck"]}, "luck"),
        ({"terms": [], "coefficients": [[], []]}, "a base counts"),
        ({"windows": [9, 1]}, "increasing windows"),
        ({"windows": [], "coefficients": []}, "increasing windows"),
        ({"coefficients": [[1e-6, 0.5]]}, "one row"),
        ({"coefficients": [[1e-6, 0.5], [2e-6]]}, "one a term"),
        ({"coefficients": [[1e-6, 0.5], [2e-6, 0.0]]}, "positive"),
        ({"coefficients": [[1e-6, 0.5], [2e-6, float("inf")]]}, "positive"),
        ({"coefficients": [[1e-6, 0.5], [2e-6, float("nan")]]}, "positive"),
    ],
)
def test_what_makes_no_base_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AnalyticBase.from_header({**BASE.to_header(), **change})
