"""Latency of kernels: the analytic base times the forests of a pack, or an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, inf, log
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.errors import PackError
from predictor_core.forest import Pack, tree_values
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.base import AnalyticBase
from predictor_core.kernels.names import current_name
from predictor_core.predictor.roofline import Roofline

#: No estimate is slower than this many times the roofline of the fit.
MOST = 50.0
#: Least time of a launch in that roofline.
DISPATCH_MS = 0.01

#: What the header states about kernels that no forest predicts.
_CONSTANTS = ("launch_ms", "macs_per_ms", "bytes_per_ms")


class KernelLatency(NamedTuple):
    """Answer for one KernelSpec.

    Parameters
    ----------
    latency_ms : float
    measured : bool
        False for an estimate.
    outside : tuple of str
        Features out of the training range.
    spread : float
        Standard deviation of what the trees say, in the logarithm.
    bounded : bool
        Whether the peak rates of the device set the latency, because the forest's answer was faster.
    fitted_ms : float
        The forest's answer: what adds up to the whole models that were measured. Equal to `latency_ms` where
        nothing is bounded.
    least_ms : float
        What the peak rates allow.
    """

    latency_ms: float
    measured: bool
    outside: tuple[str, ...]
    spread: float
    bounded: bool = False
    fitted_ms: float = 0.0
    least_ms: float = 0.0


def model_ms(rows: Sequence[KernelLatency]) -> float:
    """Return the latency of a model's kernels in ms: the forests' sum, or the peak rates' if that is more."""
    fitted_ms = sum([row.fitted_ms for row in rows])
    if not any(row.bounded for row in rows):
        return fitted_ms
    return max(fitted_ms, sum([row.least_ms for row in rows]))


class Evaluator(Protocol):
    """What says how long kernels take."""

    def evaluate(self, specs: Sequence[KernelSpec]) -> dict[KernelSpec, KernelLatency]:
        """Return the latency of distinct kernels."""


class KernelEvaluator:
    """What a pack says about kernels.

    Parameters
    ----------
    pack : Pack
        Forests, and the header with their bases, feature ranges and the constants of estimates.
    label : str
        What messages call the pack.
    roofline : Roofline
        Peak rates of the device, which no kernel exceeds.
    factors : mapping of str to float, optional
        Op -> factor on its estimates: rates that were measured on devices of the same kind.

    Raises
    ------
    PackError
        The header lacks a part, or a forest was trained on features that this version doesn't compute.
    """

    def __init__(
        self, pack: Pack, label: str, roofline: Roofline, factors: Mapping[str, float] | None = None
    ) -> None:
        self._forests = pack.forests
        self._roofline = roofline
        self._factors = dict(factors or {})
        header = pack.header
        try:
            self._estimate = {key: float(header["estimate"][key]) for key in _CONSTANTS}
            if not all(0.0 < value < inf for value in self._estimate.values()):
                raise ValueError(f"estimate is {header['estimate']!r}")
            self._bases = {
                forest: AnalyticBase.from_header(entry["base"]) for forest, entry in header["forests"].items()
            }
            self._names = {
                forest: [current_name(name) for name in entry["features"]]
                for forest, entry in header["forests"].items()
            }
            if any(pack.forests[forest].n_features != len(names) for forest, names in self._names.items()):
                raise ValueError("a forest has another number of features than names for them")
            self._ranges = {forest: _limits(entry["ranges"]) for forest, entry in header["forests"].items()}
            if any(len(self._ranges[forest][0]) != len(names) for forest, names in self._names.items()):
                raise ValueError("a forest has another number of ranges than of features")
        except (KeyError, TypeError, ValueError) as error:
            raise PackError(
                f"pack of {label} lacks a part of its header, or has it wrong: {error!r}"
            ) from error
        for forest in header["forests"]:
            known = kernels.FORESTS.get(forest)
            if known is None or list(known.names) != self._names[forest]:
                raise PackError(
                    f"pack of {label}: forest {forest!r} was trained on other features than this "
                    "version of the package computes; train the pack again"
                )

    def evaluate(self, specs: Sequence[KernelSpec]) -> dict[KernelSpec, KernelLatency]:
        """Return the latency of distinct kernels."""
        found = [kernels.decompose(spec) for spec in specs]
        by_forest: dict[str | None, list[KernelSpec]] = {}
        forests = self._forests
        for part in dict.fromkeys(part for one in found for _, part in one.parts):
            forest = kernels.kernel_op(part.op).forest
            by_forest.setdefault(forest if forest in forests else None, []).append(part)
        logs: dict[KernelSpec, float] = {}
        outside: dict[KernelSpec, tuple[str, ...]] = {}
        spreads: dict[KernelSpec, float] = {}
        estimated = by_forest.pop(None, [])
        for part in estimated:
            logs[part] = log(self._estimated_ms(part))
            outside[part] = ()
            spreads[part] = 0.0
        named = [(forest, group) for forest, group in by_forest.items() if forest is not None]
        costs = [[kernels.cost(spec) for spec in group] for _, group in named]
        matrices = [
            kernels.FORESTS[forest].matrix(group, cost) for (forest, group), cost in zip(named, costs)
        ]
        values = tree_values([(forests[forest], x) for (forest, _), x in zip(named, matrices)])
        for (forest, group), cost, x, per_tree in zip(named, costs, matrices, values):
            summed = forests[forest].combine == "sum"
            ratio = per_tree.sum(axis=1) if summed else per_tree.mean(axis=1)
            base_ms = self._bases[forest].latency_ms(group, cost)
            logs.update(zip(group, (np.log(base_ms) + ratio).tolist()))
            spreads.update(zip(group, [0.0] * len(group) if summed else per_tree.std(axis=1).tolist()))
            outside.update(zip(group, self._outside(forest, x)))
        unsupported = set(estimated)
        answers = {}
        for spec, decomposition in zip(specs, found):
            parts, scale, measured, combine = decomposition
            # A kernel that a wider one stands for is as far outside the training range as it is by itself.
            asked = parts[:1] if combine == "least" else parts
            if combine == "least":
                parts = (min(parts, key=lambda part: log(part[0]) + logs[part[1]]),)
            if combine != "mean":
                shares = [weight * exp(logs[part]) for weight, part in parts]
                latency_ms = sum(shares)
                spread = sum(share * spreads[part] for share, (_, part) in zip(shares, parts)) / latency_ms
            else:
                latency_ms = exp(sum(weight * logs[part] for weight, part in parts))
                spread = sum(weight * spreads[part] for weight, part in parts)
            measured = measured and not any(part in unsupported for _, part in parts)
            latency_ms *= scale
            least_ms = self._roofline.least_ms(spec)
            if not measured:
                latency_ms = min(latency_ms * self._factors.get(spec.op, 1.0), self.most_ms(spec))
            names = dict.fromkeys(name for _, part in asked for name in outside[part])
            answers[spec] = KernelLatency(
                max(latency_ms, least_ms),
                measured,
                tuple(names),
                spread,
                latency_ms < least_ms,
                latency_ms,
                least_ms,
            )
        return answers

    def most_ms(self, spec: KernelSpec) -> float:
        """Return what a kernel can hardly exceed in ms: 50 times the time by the rates of the fit.

        No launch is counted for less than it takes to hand a kernel to a driver, `DISPATCH_MS`.
        """
        missing_ms = max(DISPATCH_MS - self._estimate["launch_ms"], 0.0)
        return MOST * (self._estimated_ms(spec) + missing_ms)

    def _estimated_ms(self, spec: KernelSpec) -> float:
        """Launch plus the slower of computing and moving (a roofline with constants of the fit)."""
        macs, moved = kernels.cost(spec)
        constants = self._estimate
        busy_ms = max(macs / constants["macs_per_ms"], moved / constants["bytes_per_ms"])
        return float(constants["launch_ms"] + busy_ms)

    def _outside(self, forest: str, x: NDArray[np.float64]) -> list[tuple[str, ...]]:
        """Names of the features of each row that no training kernel has reached."""
        lowest, highest = self._ranges[forest]
        beyond = (x < lowest) | (x > highest)
        answers: list[tuple[str, ...]] = [()] * len(x)
        names = self._names[forest]
        for row in np.flatnonzero(beyond.any(axis=1)):
            answers[row] = tuple(names[i] for i in np.flatnonzero(beyond[row]))
        return answers


def _limits(ranges: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each feature, with the slack of the forests' single precision."""
    lowest, highest = np.array(ranges, dtype=np.float64).reshape(-1, 2).T
    slack = 1e-6 * np.maximum(np.maximum(np.abs(lowest), np.abs(highest)), 1.0)
    return lowest - slack, highest + slack
