"""What makes models hard to predict: what they are made of, and how much of it was not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.estimates import KINDS, kind
from predictor_core.predictor.evaluate import KernelLatency

Floats = NDArray[np.float64]

_FORESTS = tuple(kernels.FORESTS)
#: Names of the columns of a profile: shares of the latency by forest, of kernels without one, and of the
#: constant, and the logarithms of the latency in ms and of the number of kernels.
PROFILE = (*_FORESTS, "other", "constant", "log_ms", "log_kernels")
_PLACE = {name: place for place, name in enumerate(_FORESTS)}


@dataclass(frozen=True)
class Hardness:
    """What makes n models hard to predict.

    Parameters
    ----------
    profile : (n, len(PROFILE)) float64
        What the models are made of.
    outside : (n,) float64
        Share of the latency in measured kernels outside the training range.
    deviation : (n,) float64
        Standard deviation of what the trees say in the logarithm, weighted by the share of the latency: where
        they disagree about a kernel, they have seen few like it.
    estimated : (n, len(KINDS)) float64
        Shares of the latency in estimates, by their kind.
    """

    profile: Floats
    outside: Floats
    deviation: Floats
    estimated: Floats

    def only(self, models: Any) -> Hardness:
        """Return that of some of the models."""
        return Hardness(
            self.profile[models], self.outside[models], self.deviation[models], self.estimated[models]
        )

    def arrays(self) -> Mapping[str, Floats]:
        """Return the arrays by name."""
        return dict(vars(self))


def hardness(
    counts: Any, specs: Sequence[KernelSpec], answers: Sequence[KernelLatency], constant_ms: float
) -> Hardness:
    """Find what makes models hard to predict.

    Parameters
    ----------
    counts : (n, m) array or sparse matrix
        How often each model runs each kernel.
    specs : sequence of m KernelSpec
    answers : sequence of m KernelLatency
    constant_ms : float
        Latency that belongs to no kernel.
    """
    latency_ms = np.array([answer.latency_ms for answer in answers], dtype=np.float64)
    measured = np.array([answer.measured for answer in answers], dtype=bool)
    bounded = np.array([answer.bounded for answer in answers], dtype=bool)
    outside = np.array([bool(answer.outside) for answer in answers], dtype=bool)
    deviation = np.array([answer.deviation for answer in answers], dtype=np.float64)
    fitted_ms = counts @ np.array([answer.fitted_ms for answer in answers], dtype=np.float64)
    least_ms = counts @ np.array([answer.least_ms for answer in answers], dtype=np.float64)
    whole_ms = np.maximum(counts @ latency_ms + constant_ms, np.finfo(np.float64).tiny)

    by_forest = np.zeros((len(answers), len(_FORESTS) + 1))
    by_kind = np.zeros((len(answers), len(KINDS)))
    for i, (spec, answer) in enumerate(zip(specs, answers)):
        by_forest[i, _PLACE.get(kernels.kernel_op(spec.op).forest or "", len(_FORESTS))] = answer.latency_ms
        if not answer.measured:
            by_kind[i, kind(spec.op)] = answer.latency_ms
    estimated = (counts @ by_kind) / whole_ms[:, None]
    # A bound that the sum of the forests' answers has room for is only another way to share it out.
    estimated[:, -1] = np.where(
        fitted_ms < least_ms, counts @ (latency_ms * (bounded & measured)) / whole_ms, 0.0
    )
    number = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    profile = np.column_stack(
        [
            (counts @ by_forest) / whole_ms[:, None],
            constant_ms / whole_ms,
            np.log(whole_ms),
            np.log1p(number),
        ]
    )
    return Hardness(
        profile,
        counts @ (latency_ms * (outside & measured & ~bounded)) / whole_ms,
        counts @ (latency_ms * deviation) / whole_ms,
        estimated,
    )
