"""Prediction intervals: how far a measurement may lie from the prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def interval(
    header: Mapping[str, Any],
    latencies_ms: NDArray[np.float64],
    measured: NDArray[np.bool_],
    outside: NDArray[np.bool_],
) -> tuple[float, float]:
    """Interval that holds the measured latency of nine models in ten.

    The half width is a sum over the kernels, each with its share of the latency: kernels like those that the
    forests were trained on count little, kernels outside the training range more, and estimates most.

    Parameters
    ----------
    header : mapping
        Header of a pack: ``interval`` holds the half widths of the three sorts of kernels in the logarithm of
        the latency (``inside``, ``outside``, ``estimated``), ``constant_ms`` the latency that no kernel has.
    latencies_ms : (n,) float64
        Latency of each kernel.
    measured : (n,) bool
        False where a kernel was estimated.
    outside : (n,) bool
        True where a kernel is outside the training range.

    Returns
    -------
    (low_ms, high_ms)
        Symmetric in the logarithm.
    """
    widths = header["interval"]
    constant_ms = float(header["constant_ms"])
    total_ms = float(latencies_ms.sum()) + constant_ms
    if total_ms <= 0.0:
        return 0.0, 0.0
    of_kernels = np.where(
        measured, np.where(outside, widths["outside"], widths["inside"]), widths["estimated"]
    )
    width = (float(of_kernels @ latencies_ms) + widths["inside"] * constant_ms) / total_ms
    return total_ms * float(np.exp(-width)), total_ms * float(np.exp(width))
