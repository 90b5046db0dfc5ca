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
    spread: NDArray[np.float64],
) -> tuple[float, float]:
    """Interval that holds the measured latency of nine models in ten.

    The half width is a mean over the kernels, weighted by their shares of the latency. Where the trees of a
    forest disagree about a kernel, they have seen few like it, and it counts more; a kernel outside the
    training range more still, and an estimate most.

    Parameters
    ----------
    header : mapping
        Header of a pack: ``interval`` holds the half widths, in the logarithm of the latency, of kernels
        inside (``inside``) and outside (``outside``) the training range and of estimates (``estimated``),
        and what the spread of the trees adds (``per_spread``); ``constant_ms`` is the latency of no kernel.
    latencies_ms : (n,) float64
        Latency of each kernel.
    measured : (n,) bool
        False where a kernel was estimated.
    outside : (n,) bool
        True where a kernel is outside the training range.
    spread : (n,) float64
        Standard deviation of what the trees of its forest say, in the logarithm.

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
    known = np.where(outside, widths["outside"], widths["inside"]) + widths["per_spread"] * spread
    of_kernels = np.where(measured, known, widths["estimated"])
    width = (float(of_kernels @ latencies_ms) + widths["inside"] * constant_ms) / total_ms
    return total_ms * float(np.exp(-width)), total_ms * float(np.exp(width))
