"""The analytic base: what a kernel takes, to first order, from its arithmetic, its traffic and its launch.

The forests predict the logarithm of latency / base. So the base carries the extrapolation: beyond the
training range a forest says what its outermost leaves say, and only the base keeps growing. Therefore
every coefficient is positive: at least a share of what it is on the device as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from predictor_core import kernels
from predictor_core.training.dataset import Dataset, Floats

#: Lowest coefficient of a forest's base, as a share of the device-wide one.
FLOOR = 0.1
#: Reweighted passes, so that models that no linear law explains don't bend it.
_PASSES = 4
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Base:
    """Coefficients of the analytic latency.

    Parameters
    ----------
    forests : mapping of str to (3,) array
        Forest -> ms per MAC, ms per byte, ms per launch.
    device : (3,) array
        The same, for all kernels of the device together.
    constant_ms : float
        Added once per model.
    """

    forests: Mapping[str, Floats]
    device: Floats
    constant_ms: float

    def latency_ms(self, data: Dataset) -> Floats:
        """Base of every kernel of a data set, shape (m,)."""
        terms = cost_terms(data)
        out = np.empty(len(data.specs))
        for name, coefficients in self.forests.items():
            members = data.forests == name
            out[members] = terms[members] @ coefficients
        return out


def cost_terms(data: Dataset) -> Floats:
    """MACs, bytes and 1 of every kernel, shape (m, 3)."""
    return np.array([(*kernels.cost(spec), 1.0) for spec in data.specs], dtype=np.float64)


def fit_base(data: Dataset) -> Base:
    """Fit the base to models, in relative error.

    Parameters
    ----------
    data : Dataset
        Training models only.
    """
    terms = cost_terms(data)
    device = _relative_fit(data.counts @ terms, data.latency_ms, np.zeros(4))
    # A byte costs at least what a tenth of a MAC costs, a launch at least a microsecond.
    device = np.maximum(device, [device[0], 0.1 * device[0], 1e-3, 0.0])
    names = [str(name) for name in np.unique(data.forests)]
    columns = [data.counts @ (terms * (data.forests == name)[:, None]) for name in names]
    lowest = np.concatenate([np.tile(FLOOR * device[:3], len(names)), [0.0]])
    fitted = _relative_fit(np.hstack(columns), data.latency_ms, lowest)
    forests = {name: fitted[3 * i : 3 * i + 3] for i, name in enumerate(names)}
    return Base(forests, device[:3], float(fitted[-1]))


def _relative_fit(columns: Floats, latency_ms: Floats, lowest: Floats) -> Floats:
    """Coefficients >= lowest of `columns` and a constant, by robust least squares on the relative error."""
    relative = np.hstack([columns, np.ones((len(columns), 1))]) / latency_ms[:, None]
    scale = relative.max(axis=0)
    absent = scale == 0.0
    scale[absent] = 1.0
    weight = np.ones(len(relative))
    solution = lowest.copy()
    for _ in range(_PASSES):
        scaled = relative / scale * weight[:, None]
        above, _ = nnls(scaled, weight - scaled @ (lowest * scale))
        solution = above / scale + lowest
        error = np.abs(relative @ solution - 1.0)
        weight = np.sqrt(_TOLERANCE / np.maximum(error, _TOLERANCE))
    solution[absent] = lowest[absent]
    # Six digits are more than the fit is worth, and the same whatever order sums were taken in.
    return np.array([float(f"{value:.6g}") for value in solution])
