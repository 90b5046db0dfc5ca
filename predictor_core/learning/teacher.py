"""The teacher: kernel latencies out of model latencies, by gradient boosting.

latency(model) = constant + sum over kernels of count * base * exp(f(features)). One boosted model f per
forest, all fitted together to the one thing that was measured: the models. With S the prediction, y the
measurement and r = log(S / y), the loss is Huber's of r, and a kernel's latency l enters its gradient with
the kernel's shares of the models it occurs in: dL/df = sum of clip(r) * n * l / S. A kernel that the data
sheet bounds takes the bound, and no gradient draws it further down. The same sum with 1 in
place of clip(r) bounds the curvature even when all kernels of a model move at once, because the shares of
a model sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.errors import requires
from predictor_core.learning.base import Base
from predictor_core.learning.dataset import Dataset, Floats

#: Largest |f|: a kernel is never thought faster or slower than its base by more than e^4.
_MOST = 4.0


@dataclass(frozen=True)
class Settings:
    """How the teacher is boosted.

    Parameters
    ----------
    rounds : int
        Trees per forest.
    learning_rate : float
    leaves : int
        Of each tree.
    columns : float
        Share of the features that a tree may use.
    huber : float
        |log ratio| beyond which an error counts linearly.
    leaf : int
        Fewest kernels in a leaf: more of them where the measurements are noisy.
    ridge : float
        Pull of each kernel towards its base, in shares of a model.
    """

    rounds: int = 300
    learning_rate: float = 0.2
    leaves: int = 31
    columns: float = 0.9
    huber: float = 0.1
    leaf: int = 5
    ridge: float = 1e-4


@dataclass(frozen=True)
class Teacher:
    """A fitted teacher.

    Parameters
    ----------
    log_ratio : (m,) float64
        f of every kernel of the data set, whether seen in training or not.
    constant_ms : float
    """

    log_ratio: Floats
    constant_ms: float


def feature_table(data: Dataset) -> dict[str, NDArray[np.float32]]:
    """Forest -> feature matrix of its kernels, in the order of the data set."""
    return {
        str(name): kernels.features(
            str(name), [data.specs[i] for i in np.flatnonzero(data.forests == name)]
        ).astype(np.float32)
        for name in np.unique(data.forests)
    }


def fit_teacher(
    data: Dataset,
    base: Base,
    features: dict[str, NDArray[np.float32]],
    settings: Settings,
    seed: int,
    least_ms: Floats | None = None,
) -> Teacher:
    """Boost the kernel latencies.

    Parameters
    ----------
    data : Dataset
        Training models only (its kernels may be more than theirs).
    base : Base
        Fitted to the same models.
    features : dict
        `feature_table` of the data set.
    settings : Settings
    seed : int
    least_ms : (m,) float64, optional
        What each kernel takes at least, by the device's data sheet. Default: nothing.
    """
    with requires("lightgbm", "train", "training"):
        import lightgbm

    base_ms = base.latency_ms(data)
    if least_ms is None:
        least_ms = np.zeros(len(data.specs))
    seen = data.seen()
    groups = []
    for number, name in enumerate(features):
        members = np.flatnonzero(data.forests == name)
        trained = seen[members]
        table = features[name][trained]
        group = _Group(data, base_ms, least_ms, members[trained], settings)
        groups.append(group)
        if not len(table) or not np.ptp(table, axis=0).any():
            # Nothing to tell kernels apart by: the base is all there is.
            continue
        set_ = lightgbm.Dataset(
            table,
            np.zeros(len(table)),
            params={"verbose": -1, "feature_pre_filter": False, "min_data_in_bin": 1},
        )
        group.booster = lightgbm.Booster(
            {
                "objective": "none",
                "learning_rate": settings.learning_rate,
                "num_leaves": settings.leaves,
                "min_data_in_leaf": settings.leaf,
                "min_sum_hessian_in_leaf": 1e-9,
                "feature_fraction": settings.columns,
                "num_threads": 1,
                "deterministic": True,
                "force_row_wise": True,
                "seed": seed + number,
                "verbose": -1,
            },
            set_,
        )
    state = _State(data.latency_ms, sum(group.models_ms for group in groups), base.constant_ms, settings)
    boosted = [group for group in groups if group.booster is not None]
    for _ in range(settings.rounds):
        for group in boosted:
            group.booster.update(fobj=lambda f, _, group=group: group.gradients(f, state))
        state.move_constant()
    log_ratio = np.zeros(len(data.specs))
    for name, group in zip(features, groups):
        if group.booster is None:
            continue
        predicted = group.booster.predict(features[name], raw_score=True)
        log_ratio[data.forests == name] = np.clip(predicted, -_MOST, _MOST)
    return Teacher(log_ratio, float(state.constant_ms))


class _State:
    """Prediction for every model, kept up to date while the groups change their kernels."""

    def __init__(self, measured_ms: Floats, kernels_ms: Any, constant_ms: float, settings: Settings) -> None:
        self.measured_ms = measured_ms
        self.kernels_ms: Floats = kernels_ms
        # A constant of zero would have no gradient.
        self.constant_ms = max(constant_ms, 1e-3 * float(measured_ms.min()))
        self.huber = settings.huber
        self.rate = settings.learning_rate

    def residuals(self) -> tuple[Floats, Floats]:
        """Gradient and curvature of the loss of each model, by log S, over S."""
        predicted = self.kernels_ms + self.constant_ms
        ratio = np.log(predicted / self.measured_ms)
        weight = 1.0 / np.maximum(np.abs(ratio) / self.huber, 1.0)
        return ratio * weight / predicted, weight / predicted

    def move_constant(self) -> None:
        gradient, curvature = self.residuals()
        self.constant_ms *= float(np.exp(-self.rate * gradient.sum() / curvature.sum()))


class _Group:
    """The kernels of one forest that occur in training models."""

    def __init__(
        self,
        data: Dataset,
        base_ms: Floats,
        least_ms: Floats,
        members: NDArray[np.intp],
        settings: Settings,
    ) -> None:
        self.base_ms = base_ms[members]
        self.least_ms = least_ms[members]
        self.counts = data.counts[:, members].tocsr()
        self.transposed = self.counts.T.tocsr()
        self.ridge = settings.ridge
        self.models_ms: Floats = self.counts @ np.maximum(self.base_ms, self.least_ms)
        self.booster: Any = None

    def gradients(self, f: Floats, state: _State) -> tuple[Floats, Floats]:
        f = np.clip(f, -_MOST, _MOST)
        unbound_ms = self.base_ms * np.exp(f)
        latency_ms = np.maximum(unbound_ms, self.least_ms)
        models_ms = self.counts @ latency_ms
        state.kernels_ms = state.kernels_ms + (models_ms - self.models_ms)
        self.models_ms = models_ms
        gradient, curvature = state.residuals()
        slope = self.transposed @ gradient
        slope[(unbound_ms < self.least_ms) & (slope > 0.0)] = 0.0
        return (
            latency_ms * slope + self.ridge * f,
            latency_ms * (self.transposed @ curvature) + self.ridge,
        )
