"""Fit of the analytic base: bounded least squares on the models' latencies.

Every coefficient is at least a share of what it is on the whole device, so that larger always costs more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from predictor_core import kernels
from predictor_core.kernels.base import AnalyticBase
from predictor_core.training.dataset import Dataset, Floats

#: Lowest coefficient of a forest's base, as a share of the device-wide one.
FLOOR = 0.02
#: Reweighted passes, so that models that no linear law explains don't bend it.
_PASSES = 4
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Base:
    """Fitted base of a device.

    Parameters
    ----------
    forests : mapping of str to AnalyticBase
    device : (3,) array
        ms per MAC, ms per byte, ms per launch of all kernels together.
    constant_ms : float
        Added once per model.
    """

    forests: Mapping[str, AnalyticBase]
    device: Floats
    constant_ms: float

    def latency_ms(self, data: Dataset) -> Floats:
        """Return the base of every kernel of a data set in ms, shape (m,)."""
        out = np.full(len(data.specs), np.nan)
        for name, base in self.forests.items():
            members = np.flatnonzero(data.forests == name)
            specs = [data.specs[i] for i in members]
            out[members] = base.latency_ms(specs, [kernels.cost(spec) for spec in specs])
        return out


def fit_base(data: Dataset, by_window: bool) -> Base:
    """Fit the base to models, in relative error.

    Parameters
    ----------
    data : Dataset
        Training models only. Forests whose kernels they don't hold get the device-wide base.
    by_window : bool
        Whether kernels of each window size have coefficients of their own.
    """
    terms = np.array([(*kernels.cost(spec), 1.0) for spec in data.specs], dtype=np.float64)
    windows = np.array([spec.kernel[0] * spec.kernel[1] if by_window else 1 for spec in data.specs])
    everything = _relative_fit(data.counts @ terms, data.latency_ms, np.zeros(4))
    # Traffic costs at least a tenth of arithmetic, a launch at least a microsecond.
    device = np.maximum(everything[:3], [1e-12, 0.1 * everything[0], 1e-3])

    seen = data.seen()
    classes: list[tuple[str, int]] = []
    columns = []
    for name in np.unique(data.forests):
        members = data.forests == name
        for window in np.unique(windows[members & seen]):
            classes.append((str(name), int(window)))
            columns.append(data.counts @ (terms * (members & (windows == window))[:, None]))
    lowest = FLOOR * np.concatenate([np.tile(device, len(classes)), [0.0]])
    fitted = _relative_fit(np.hstack(columns), data.latency_ms, lowest)
    rows = fitted[:-1].reshape(-1, 3)
    forests = {}
    for name in map(str, np.unique(data.forests)):
        own = [i for i, (forest, _) in enumerate(classes) if forest == name]
        if own:
            forests[name] = AnalyticBase(tuple(classes[i][1] for i in own), tuple(map(_triple, rows[own])))
        else:
            forests[name] = AnalyticBase((1,), (_triple(device),))
    return Base(forests, device, float(fitted[-1]))


def _triple(row: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(row[0]), float(row[1]), float(row[2])


def _relative_fit(columns: Floats, latency_ms: Floats, lowest: Floats) -> Floats:
    """Coefficients >= lowest of `columns` and a constant, by robust least squares on the relative error."""
    relative = np.hstack([columns, np.ones((len(columns), 1))]) / latency_ms[:, None]
    scale = 1.0 / np.maximum(relative.max(axis=0), 1e-30)
    scaled = relative * scale
    weight = np.ones(len(relative))
    solution = lowest
    for _ in range(_PASSES):
        above, _ = nnls(scaled * weight[:, None], weight - (scaled * weight[:, None]) @ (lowest / scale))
        solution = above * scale + lowest
        error = np.abs(relative @ solution - 1.0)
        weight = np.sqrt(_TOLERANCE / np.maximum(error, _TOLERANCE))
    # Six digits are more than the fit is worth, and the same whatever order sums were taken in.
    return np.array([float(f"{value:.6g}") for value in solution])
