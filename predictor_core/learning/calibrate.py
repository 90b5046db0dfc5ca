"""Constants of the prediction intervals, from models that the forests have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from predictor_core.learning.evaluate import Predictions

#: Coverage aimed at on unseen models of known families: a little over nominal, for the scatter of a sample.
COVERAGE = 0.905
#: Coverage aimed at on families that were left out of the training.
LEFT_OUT_COVERAGE = 0.85

#: Half width of a kernel without measurements, in the logarithm: an estimate may be off by a factor of two.
ESTIMATED = float(np.log(2.0))
#: Least half width of a kernel inside the training range.
LEAST = 0.005
_UNFAMILIAR = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
_SPREAD_SCALE = (0.001, 0.002, 0.005, 0.01, 0.02)
_OUTSIDE = (0.1, 0.2, 0.3, 0.5)


def calibrate(held_out: Predictions, left_out: Sequence[Predictions]) -> dict[str, float]:
    """Find half widths that cover both sorts of unseen models, and are as narrow as that allows.

    Parameters
    ----------
    held_out : Predictions
        Models of families that were trained on.
    left_out : sequence of Predictions
        One for each family that was left out.

    Returns
    -------
    dict
        See `predictor_core.predictor.interval.interval`.
    """
    best: tuple[float, float] = (np.inf, np.inf)
    chosen: dict[str, float] = {}
    for unfamiliar, scale, extra in product(_UNFAMILIAR, _SPREAD_SCALE, _OUTSIDE):
        widths = {"inside": 0.0, "outside": extra, "unfamiliar": unfamiliar, "spread_scale": scale}
        widths["estimated"] = ESTIMATED
        rest = np.abs(held_out.log_error) - held_out.half_width(widths)
        inside = max(float(np.quantile(rest, COVERAGE)), LEAST)
        widths.update(inside=inside, outside=inside + extra)
        halves = [family.half_width(widths) for family in left_out]
        covered = [(np.abs(family.log_error) <= half).mean() for family, half in zip(left_out, halves)]
        missing = max(LEFT_OUT_COVERAGE - float(np.mean(covered)), 0.0)
        # The mean over families would let one hopeless family widen the intervals of all.
        key = (round(missing, 2), float(np.median([half.mean() for half in halves])))
        if key < best:
            best, chosen = key, widths
    return {name: round(value, 5) for name, value in chosen.items()}
