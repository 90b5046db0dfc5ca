"""Constants of the prediction intervals, from models that the forests have not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from predictor_core.training.dataset import Floats
from predictor_core.training.evaluate import Predictions

#: Coverage aimed at on unseen models of known families: a little over nominal, for the scatter of a sample.
COVERAGE = 0.905
#: Coverage aimed at on families that were left out of the training.
LEFT_OUT_COVERAGE = 0.85

#: Half width of a kernel without measurements, in the logarithm: an estimate may be off by a factor of two.
ESTIMATED = float(np.log(2.0))
_PER_SPREAD = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
_OUTSIDE = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


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
        ``inside``, ``outside``, ``per_spread``, ``estimated``: see `predictor_core.confidence`.
    """
    best: tuple[float, float, dict[str, float]] | None = None
    for per_spread in _PER_SPREAD:
        for extra in _OUTSIDE:
            beyond = _beyond(held_out, per_spread, extra)
            inside = max(float(np.quantile(np.abs(held_out.log_error) - beyond, COVERAGE)), 0.005)
            covered, width = [], []
            for family in left_out:
                half = inside + _beyond(family, per_spread, extra)
                covered.append(float((np.abs(family.log_error) <= half).mean()))
                width.append(float(half.mean()))
            missing = max(LEFT_OUT_COVERAGE - float(np.mean(covered)), 0.0)
            found = {"inside": inside, "outside": inside + extra, "per_spread": per_spread}
            key = (round(missing, 3), float(np.mean(width)))
            if best is None or key < best[:2]:
                best = (*key, found)
    if best is None:
        raise ValueError("no widths to choose from")
    return {name: round(value, 5) for name, value in {**best[2], "estimated": ESTIMATED}.items()}


def _beyond(models: Predictions, per_spread: float, extra: float) -> Floats:
    return per_spread * models.spread + extra * models.outside
