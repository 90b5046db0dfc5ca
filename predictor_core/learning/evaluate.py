"""How well predictions fit measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import requires
from predictor_core.learning.dataset import Dataset, Floats, Mask
from predictor_core.predictor import LatencyPredictor
from predictor_core.predictor.hardness import Hardness, hardness
from predictor_core.predictor.interval import Widths


@dataclass(frozen=True)
class Predictions:
    """What a predictor says about n measured models.

    Parameters
    ----------
    families : (n,) array of str
    measured_ms, predicted_ms : (n,) float64
    hard : Hardness
        What makes the models hard to predict.
    """

    families: NDArray[np.str_]
    measured_ms: Floats
    predicted_ms: Floats
    hard: Hardness

    @property
    def log_error(self) -> Floats:
        """Logarithm of predicted / measured."""
        return np.log(self.predicted_ms / self.measured_ms)

    def only(self, models: Mask) -> Predictions:
        """Those of some of the models."""
        return Predictions(
            self.families[models],
            self.measured_ms[models],
            self.predicted_ms[models],
            self.hard.only(models),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return plain arrays by name, for a file; `from_arrays` reads them."""
        return {
            "families": self.families,
            "measured_ms": self.measured_ms,
            "predicted_ms": self.predicted_ms,
            **self.hard.arrays(),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Predictions:
        """Make predictions from what `arrays` returned."""
        hard = Hardness(**{field.name: arrays[field.name] for field in fields(Hardness)})
        return cls(arrays["families"], arrays["measured_ms"], arrays["predicted_ms"], hard)

    def interval_ms(self, widths: Widths) -> tuple[Floats, Floats]:
        """Return the ends of the intervals."""
        return widths.interval_ms(self.predicted_ms, self.hard)


def predict(predictor: LatencyPredictor, data: Dataset) -> Predictions:
    """Predict the models of a data set with what ships: the pack, as the predictor evaluates it."""
    used = np.flatnonzero(data.seen())
    specs = [data.specs[i] for i in used]
    of_spec = predictor.kernel_latencies(specs)
    answers = [of_spec[spec] for spec in specs]
    counts = data.counts[:, used]
    fitted_ms = counts @ np.array([answer.fitted_ms for answer in answers])
    least_ms = counts @ np.array([answer.least_ms for answer in answers])
    return Predictions(
        data.families,
        data.latency_ms,
        np.maximum(fitted_ms, least_ms) + predictor.overhead_ms,
        hardness(counts, specs, answers, predictor.overhead_ms),
    )


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on a set of models.

    Parameters
    ----------
    models : int
    within_5, within_10 : float
        Share of the models whose prediction is within ±5 % (±10 %) of the measurement, in percent.
    rmse_ms : float
        Root mean square error in ms.
    rmspe : float
        Root mean square error in percent of the measurement.
    spearman : float
        Rank correlation of predictions and measurements.
    bias : float
        Mean of prediction / measurement - 1, in percent.
    covered : float or None
        Share of the measurements inside the prediction interval, in percent.
    """

    models: int
    within_5: float
    within_10: float
    rmse_ms: float
    rmspe: float
    spearman: float
    bias: float
    covered: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to what is worth printing."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
            if value is not None
        }


def accuracy(
    predicted_ms: Floats, measured_ms: Floats, interval_ms: tuple[Floats, Floats] | None = None
) -> Accuracy:
    """Compare predictions with measurements.

    Parameters
    ----------
    predicted_ms, measured_ms : (n,) float64
    interval_ms : pair of (n,) float64, optional
        Lower and upper ends of the prediction intervals.
    """
    with requires("scipy", "train", "evaluating accuracy"):
        from scipy.stats import spearmanr

    off = predicted_ms / measured_ms - 1.0
    covered = None
    if interval_ms is not None:
        inside = (interval_ms[0] <= measured_ms) & (measured_ms <= interval_ms[1])
        covered = 100.0 * float(inside.mean())
    return Accuracy(
        models=len(measured_ms),
        within_5=100.0 * float((np.abs(off) <= 0.05).mean()),
        within_10=100.0 * float((np.abs(off) <= 0.10).mean()),
        rmse_ms=float(np.sqrt(np.mean((predicted_ms - measured_ms) ** 2))),
        rmspe=100.0 * float(np.sqrt(np.mean(off**2))),
        spearman=float(spearmanr(predicted_ms, measured_ms)[0]),
        bias=100.0 * float(off.mean()),
        covered=covered,
    )
