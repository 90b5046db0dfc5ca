"""Latency of kernels: the analytic base times the forests of a pack, or an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, inf, log
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.errors import PackError
from predictor_core.forest import Pack, predict_rows
from predictor_core.ir.named import maker
from predictor_core.kernels import Cost, KernelSpec
from predictor_core.kernels.base import AnalyticBase
from predictor_core.kernels.decomposition import Combination, parts_of_kernels
from predictor_core.kernels.feature_matrix import feature_rows
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
    deviation : float
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
    deviation: float
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

    def evaluate(self, specs: Sequence[KernelSpec]) -> list[KernelLatency]:
        """Return the latency of distinct kernels, in their order."""


class _PartAnswer(NamedTuple):
    """What a forest says about a kernel that is not decomposed, or the estimate of it."""

    log_ms: float
    deviation: float
    outside: tuple[str, ...]
    measured: bool


_make_latency, _make_answer = maker(KernelLatency), maker(_PartAnswer)


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
            ranges = {forest: _limits(entry["ranges"]) for forest, entry in header["forests"].items()}
            self._unmeasured = {
                forest for forest, entry in header["forests"].items() if entry.get("kernels") == 0
            }
            if any(len(ranges[forest][0]) != len(names) for forest, names in self._names.items()):
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
        self._row = {forest: row for row, forest in enumerate(self._names)}
        # Lowest and highest value of each feature by forest; nothing lies beyond those that a forest lacks.
        self._lowest = np.full((len(ranges), max(map(len, self._names.values()), default=0)), -np.inf)
        self._highest = -self._lowest
        # Features that corrections fade by; none in packs whose corrections hold wherever a kernel lies.
        self._fading = np.zeros(self._lowest.shape, dtype=bool)
        for forest, (lowest, highest) in ranges.items():
            self._lowest[self._row[forest], : len(lowest)] = lowest
            self._highest[self._row[forest], : len(highest)] = highest
            if header.get("fading") is True:
                sizes = [name.startswith("log_") for name in self._names[forest]]
                self._fading[self._row[forest], : len(sizes)] = sizes

    def evaluate(self, specs: Sequence[KernelSpec]) -> list[KernelLatency]:
        """Return the latency of distinct kernels, in their order."""
        found = [kernels.decompose(spec) for spec in specs]
        parts, parts_of = parts_of_kernels(specs, found)
        costs = [kernels.cost(part) for part in parts]
        answers = self._part_answers(parts, costs)
        latencies = []
        for spec, (own, scale, measured, combine), places in zip(specs, found, parts_of):
            first = places[0]
            cost = costs[first] if parts[first] is spec else kernels.cost(spec)
            if len(own) == 1:
                log_ms, deviation, outside, known = answers[first]
                latency_ms = own[0][0] * exp(log_ms)
            else:
                latency_ms, deviation, outside, known = _combined(own, combine, [answers[i] for i in places])
            latencies.append(
                self._bounded(spec, cost, latency_ms * scale, deviation, outside, measured and known)
            )
        return latencies

    def _bounded(
        self,
        spec: KernelSpec,
        cost: Cost,
        latency_ms: float,
        deviation: float,
        outside: tuple[str, ...],
        measured: bool,
    ) -> KernelLatency:
        """Return the latency of a kernel between what the rates of the fit and of the data sheet allow."""
        if not measured:
            latency_ms *= self._factors.get(spec.op, 1.0)
        if outside or not measured:
            latency_ms = min(latency_ms, self.most_ms(cost))
        least_ms = self._roofline.least_ms(cost)
        bounded = latency_ms < least_ms
        shown_ms = least_ms if bounded else latency_ms
        return _make_latency((shown_ms, measured, outside, deviation, bounded, latency_ms, least_ms))

    def _part_answers(self, parts: Sequence[KernelSpec], costs: Sequence[Cost]) -> list[_PartAnswer]:
        """Return what the forests say about kernels, or the estimate where there is no forest for one."""
        by_forest: dict[str | None, list[int]] = {}
        for i, part in enumerate(parts):
            forest = kernels.kernel_op(part[1]).forest
            by_forest.setdefault(forest if forest in self._forests else None, []).append(i)
        answers: dict[int, _PartAnswer] = {
            i: _PartAnswer(log(self._estimated_ms(costs[i])), 0.0, (), False) for i in by_forest.pop(None, [])
        }
        named = [(name, group) for name, group in by_forest.items() if name is not None]
        if named:
            specs = [[parts[i] for i in group] for _, group in named]
            known = [[costs[i] for i in group] for _, group in named]
            x = feature_rows(
                [(kernels.FORESTS[name], *one) for (name, _), one in zip(named, zip(specs, known))]
            )
            ratios, deviations = predict_rows([(self._forests[name], len(group)) for name, group in named], x)
            bases_ms = [
                ms
                for (name, _), one, cost in zip(named, specs, known)
                for ms in self._bases[name].latencies_ms(one, cost)
            ]
            outside, holds = self._outside([(name, len(group)) for name, group in named], x)
            log_ms = np.log(np.array(bases_ms)) + holds * ratios
            rows = zip(log_ms.tolist(), deviations.tolist(), outside)
            for name, group in named:
                measured = name not in self._unmeasured
                for i, (ms, deviation, beyond) in zip(group, rows):
                    answers[i] = _make_answer((ms, deviation, beyond if measured else (), measured))
        return [answers[i] for i in range(len(parts))]

    def most_ms(self, cost: Cost) -> float:
        """Return what a kernel can hardly exceed in ms: 50 times the time by the rates of the fit.

        No launch is counted for less than it takes to hand a kernel to a driver, `DISPATCH_MS`.
        """
        missing_ms = max(DISPATCH_MS - self._estimate["launch_ms"], 0.0)
        return MOST * (self._estimated_ms(cost) + missing_ms)

    def _estimated_ms(self, cost: Cost) -> float:
        """Launch plus the slower of computing and moving (a roofline with constants of the fit)."""
        macs, moved = cost
        constants = self._estimate
        busy_ms = max(macs / constants["macs_per_ms"], moved / constants["bytes_per_ms"])
        return float(constants["launch_ms"] + busy_ms)

    def _outside(
        self, groups: Sequence[tuple[str, int]], x: NDArray[np.float64]
    ) -> tuple[list[tuple[str, ...]], NDArray[np.float64]]:
        """Names of the features of each row that no training kernel has reached, and what holds there.

        Rows stand forest by forest, as many as each group says. Of a correction that fades, half holds at
        twice the largest size of the training kernels. Below the smallest it holds whole: what kernels cost
        however small they are is in it, too.
        """
        forests = np.repeat([self._row[forest] for forest, _ in groups], [n for _, n in groups])
        width = x.shape[1]
        highest = self._highest.take(forests, 0)[:, :width]
        above = x - highest
        beyond = (x < self._lowest.take(forests, 0)[:, :width]) | (above > 0.0)
        outside: list[tuple[str, ...]] = [()] * len(x)
        if not beyond.any():
            return outside, np.ones(len(x))
        names = [self._names[forest] for forest, n in groups for _ in range(n)]
        for row, column in np.argwhere(beyond).tolist():
            outside[row] += (names[row][column],)
        fading = np.where(self._fading.take(forests, 0)[:, :width], above, 0.0)
        return outside, np.exp(-fading.max(axis=1, initial=0.0))


def _combined(
    parts: Sequence[tuple[float, KernelSpec]], combine: Combination, answers: Sequence[_PartAnswer]
) -> tuple[float, float, tuple[str, ...], bool]:
    """Return latency in ms, deviation, features outside and whether it is measured, of several parts."""
    if combine == "least":
        best = min(range(len(parts)), key=lambda i: log(parts[i][0]) + answers[i].log_ms)
        log_ms, deviation, _, known = answers[best]
        # A kernel that a wider one stands for is as far outside the training range as it is by itself.
        return parts[best][0] * exp(log_ms), deviation, answers[0].outside, known
    if combine == "mean":
        shares = [weight for weight, _ in parts]
        latency_ms = exp(sum([share * answer.log_ms for share, answer in zip(shares, answers)]))
    else:
        shares = [weight * exp(answer.log_ms) for (weight, _), answer in zip(parts, answers)]
        latency_ms = sum(shares)
    deviation = sum([share * answer.deviation for share, answer in zip(shares, answers)]) / sum(shares)
    outside = tuple(dict.fromkeys(name for answer in answers for name in answer.outside))
    return latency_ms, deviation, outside, all(answer.measured for answer in answers)


def _limits(ranges: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each feature, with the slack of the forests' single precision."""
    lowest, highest = np.array(ranges, dtype=np.float64).reshape(-1, 2).T
    slack = 1e-6 * np.maximum(np.maximum(np.abs(lowest), np.abs(highest)), 1.0)
    return lowest - slack, highest + slack
