"""Prediction intervals: how far a measurement may lie from the prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = TypeVar("Numbers", float, NDArray[np.float64])


def interval(
    header: Mapping[str, Any],
    latencies_ms: NDArray[np.float64],
    measured: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    spread: NDArray[np.float64],
) -> tuple[float, float]:
    """Interval that holds the measured latency of nine models in ten.

    The half width is a mean over the kernels, weighted by their shares of the latency: a kernel outside the
    training range counts more than one inside, an estimate more still. It grows further, up to a limit,
    with the spread of the trees: where they disagree about a model's kernels, they have seen few like them.

    Parameters
    ----------
    header : mapping
        Header of a pack: ``interval`` holds the half widths, in the logarithm of the latency, of kernels
        inside (``inside``) and outside (``outside``) the training range and of estimates (``estimated``), the
        most that the spread adds (``unfamiliar``), and the spread at which it adds 63 % of that
        (``spread_scale``); ``constant_ms`` is the latency that no kernel has.
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
    known = np.where(outside, widths["outside"], widths["inside"])
    of_kernels = np.where(measured, known, widths["estimated"])
    width = (float(of_kernels @ latencies_ms) + widths["inside"] * constant_ms) / total_ms
    width += unfamiliarity(float(spread @ latencies_ms) / total_ms, widths)
    return total_ms * float(np.exp(-width)), total_ms * float(np.exp(width))


def check_widths(header: Mapping[str, Any]) -> None:
    """Check the parts of a header that `interval` needs.

    Raises
    ------
    KeyError, TypeError, ValueError
        One is absent, no number, or out of range.
    """
    widths = header["interval"]
    for key in ("inside", "outside", "estimated", "unfamiliar", "spread_scale"):
        # A half width of 10 is a factor of 22000 to either side.
        if not 0.0 <= float(widths[key]) <= 10.0 or (key == "spread_scale" and not widths[key]):
            raise ValueError(f"interval: {key} is {widths[key]!r}")


def unfamiliarity(spread: Numbers, widths: Mapping[str, float]) -> Numbers:
    """Return what the mean spread of a model's kernels adds to the half width, by the constants of a pack."""
    added: Numbers = widths["unfamiliar"] * (1.0 - np.exp(-spread / widths["spread_scale"]))
    return added
