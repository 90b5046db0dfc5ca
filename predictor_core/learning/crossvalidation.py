"""Cross-validation of a learned device: how well models are predicted that the fit has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.catalog.cards import ROUGH_BELOW
from predictor_core.learning.adapt import Problem
from predictor_core.learning.posterior import Floats
from predictor_core.predictor.interval import epistemic

FOLDS = 10
#: Coverage aimed at.
COVERAGE = 0.9
#: Half width of a kernel that nothing measured, in the logarithm: an estimate may be off by a factor of two.
ESTIMATED = float(np.log(2.0))
#: Least half width.
LEAST = 0.01
#: Share within ±10 %, in percent, below which a predictor is of no use.
USELESS = 50.0
_WORST = 5
_EPISTEMIC = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_DEVIATION_SCALES = (0.03, 0.06, 0.12, 0.25)


@dataclass(frozen=True)
class HeldOut:
    """Predictions for models that were left out of the fit.

    Parameters
    ----------
    measured_ms, predicted_ms : (n,) float64
    deviation : (n,) float64
        Standard deviation of their kernels' logarithms; see
        `predictor_core.learning.adapt.Problem.deviation`.
    """

    measured_ms: Floats
    predicted_ms: Floats
    deviation: Floats

    @property
    def error(self) -> Floats:
        """Prediction / measurement - 1."""
        return self.predicted_ms / self.measured_ms - 1.0

    @property
    def log_error(self) -> Floats:
        """Logarithm of prediction / measurement."""
        return np.log(self.predicted_ms / self.measured_ms)

    def table(self) -> dict[str, float]:
        """Within ±5 and ±10 %, mean absolute error, all in percent; rank correlation."""
        off = np.abs(self.error)
        return {
            "models": len(off),
            "within_5": round(100.0 * float((off <= 0.05).mean()), 1),
            "within_10": round(100.0 * float((off <= 0.10).mean()), 1),
            "mape": round(100.0 * float(off.mean()), 2),
            "spearman": round(spearman(self.predicted_ms, self.measured_ms), 4),
        }


def folds_of(labels: Sequence[Any] | NDArray[Any], folds: int, seed: int) -> NDArray[np.intp]:
    """Assign each model to a fold; models of one label share it."""
    distinct, inverse = np.unique(np.asarray(labels), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(distinct))
    place = np.empty(len(distinct), dtype=np.intp)
    place[order] = np.arange(len(distinct)) % folds
    return place[inverse]


def cross_validate(
    problem: Problem,
    latency_ms: Floats,
    labels: Sequence[Any] | NDArray[Any],
    *,
    models: NDArray[np.intp] | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    start: Floats | None = None,
) -> HeldOut:
    """Predict each model by a fit to those of other folds.

    Parameters
    ----------
    problem : Problem
    latency_ms : (n,) float64
    labels : sequence
        Models of one label are left out together: the same network, or a family.
    models : (m,) integers, optional
        The models that were measured. Default: all.
    folds, seed : int
    start : (d,) float64, optional
        Where the fits begin.
    """
    known = np.arange(len(latency_ms)) if models is None else models
    of_known = np.asarray(labels)[known]
    fold = folds_of(of_known, min(folds, len(np.unique(of_known))), seed)
    predicted, deviation = np.empty(len(known)), np.empty(len(known))
    for number in range(int(fold.max()) + 1):
        held_out = fold == number
        found = problem.fit(latency_ms, known[~held_out], start=start)
        predicted[held_out] = problem.predict(found.mean, known[held_out])
        deviation[held_out] = problem.deviation(found, known[held_out])
    return HeldOut(latency_ms[known], predicted, deviation)


def calibrate(held_out: HeldOut) -> dict[str, float]:
    """Find the constants of `predictor_core.predictor.interval` from held-out predictions.

    The half width is a constant plus what the deviation adds; among those that cover nine in ten, the
    narrowest median. With few models the quantile is the conformal one, which covers in expectation.
    """
    error = np.abs(held_out.log_error)
    n = len(error)
    # The order statistic of which as many of the next are expected to lie below, of 1 to n as 0 to 1.
    level = min(((n + 1) * COVERAGE - 1) / max(n - 1, 1), 1.0)
    # Fewer than nine models can't show what one in ten does.
    factor = 1.0 + max(0.0, 9.0 - n) / 9.0
    best = (np.inf, 0.0, 0.0, 1.0)
    for most in _EPISTEMIC:
        for scale in _DEVIATION_SCALES if most else (1.0,):
            constants = {"unfamiliar": most, "spread_scale": scale}
            added = epistemic(held_out.deviation, constants)
            inside = max(factor * float(np.quantile(error - added, level)), LEAST)
            key = float(np.mean(inside + added))
            if key < best[0] * 0.97:
                best = (key, inside, most, scale)
    _, inside, most, scale = best
    return {
        "inside": round(inside, 5),
        "outside": round(inside + 0.1, 5),
        "estimated": round(max(ESTIMATED, inside), 5),
        "unfamiliar": most,
        "spread_scale": scale,
    }


def covered(held_out: HeldOut, interval: Mapping[str, float]) -> float:
    """Share of the measurements inside the intervals, in percent."""
    half = interval["inside"] + epistemic(held_out.deviation, interval)
    return 100.0 * float((np.abs(held_out.log_error) <= half).mean())


def worst(held_out: HeldOut, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the models with the largest errors, worst first."""
    order = np.argsort(-np.abs(held_out.log_error), kind="stable")[:_WORST]
    return [
        {
            "model": names[i],
            "measured_ms": float(f"{held_out.measured_ms[i]:.5g}"),
            "predicted_ms": float(f"{held_out.predicted_ms[i]:.5g}"),
            "error": round(100.0 * float(held_out.error[i]), 1),
        }
        for i in order
    ]


def verdict(table: Mapping[str, float]) -> str:
    """Return ``good``, ``rough`` or ``not good enough to use``, by the share within ±10 %."""
    within = table["within_10"]
    return "good" if within >= ROUGH_BELOW else "rough" if within >= USELESS else "not good enough to use"


def spearman(first: Floats, second: Floats) -> float:
    """Rank correlation (ties share their mean rank); 1 where either is constant."""
    ranks = np.stack([_ranks(first), _ranks(second)])
    if (np.ptp(ranks, axis=1) == 0.0).any():
        return 1.0
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - 0.5 * (counts - 1))[place])
