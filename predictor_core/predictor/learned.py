"""LearnedPredictor: a device that is a small header over the forests of another one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PackError
from predictor_core.ir.graph import Graph
from predictor_core.kernels import Kernel, KernelSpec
from predictor_core.kernels.coordinates import NAMES, coordinates, group, sort
from predictor_core.predictor.base import Predictor
from predictor_core.predictor.design import TERMS, Rows, shared_design
from predictor_core.predictor.evaluate import KernelLatency
from predictor_core.predictor.header import MAX_LOG, DeviceHeader
from predictor_core.predictor.header_bytes import digest, from_bytes, to_bytes
from predictor_core.predictor.interval import Widths
from predictor_core.predictor.latency import LatencyPredictor
from predictor_core.predictor.report import LatencyReport
from predictor_core.predictor.roofline import Roofline

Floats = NDArray[np.float64]

#: What of the accuracy stands on the card.
_CARD = ("verdict", "cross_validated", "families_left_out")


class LearnedPredictor(LatencyPredictor):
    """Predicts latency on a device that was learned from whole-model measurements.

    Made by `predictor_core.learn_predictor`, and by `predictor_core.load_latency_predictor` once its folder
    is registered. It does all that a `LatencyPredictor` does.

    Parameters
    ----------
    header : DeviceHeader
        What the device has of its own.
    sources : sequence of LatencyPredictor
        Those that the header names, in its order.
    again : (function, arguments), optional
        What loads it again, for pickling, given the arguments and the digest of the header. Default: the
        pickle holds the header.

    Raises
    ------
    PackError
        The sources are not those that the header was learned from.
    """

    def __init__(
        self,
        header: DeviceHeader,
        sources: Sequence[LatencyPredictor],
        again: tuple[Callable[..., LearnedPredictor], tuple[Any, ...]] | None = None,
    ) -> None:
        for expected, source in zip(header.sources, sources):
            if source.sha256 != expected.sha256:
                raise PackError(
                    f"{header.name} was learned from {expected.name} {expected.version} with SHA-256 "
                    f"{expected.sha256}, but that predictor has {source.sha256} here; learn it again"
                )
        Predictor.__init__(self, header.name, header.version)
        self.device_header = header
        self.overhead_ms = header.scale_ms["constant"] * float(
            np.exp(header.coefficients.get("all:", 0.0) + header.coefficients.get("constant:", 0.0))
        )
        self.card = {
            "learned from": [f"{source.name} {source.version}" for source in header.sources],
            **header.facts,
            **{f"accuracy, {key}": value for key, value in header.accuracy.items() if key in _CARD},
        }
        self.widths = Widths.flat(header.interval)
        #: The data sheet of the device is not known.
        self.roofline = Roofline()
        self._rules = sources[0].rules
        self._sources = tuple(sources)
        self._again = again
        self._learned = LearnedEvaluator(header, self._sources)
        self._evaluator = self._learned
        self._memo: dict[KernelSpec, KernelLatency] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._again is None:
            return (_unpickled, (to_bytes(self.device_header), self._sources))
        load, arguments = self._again
        return (load, (*arguments, digest(self.device_header)))

    @property
    def header(self) -> dict[str, Any]:
        """Header as plain values, with ``constant_ms`` as that of an embedded pack has it."""
        return {**self.device_header.to_dict(), "constant_ms": self.overhead_ms}

    @property
    def sources(self) -> tuple[LatencyPredictor, ...]:
        """The predictors whose kernel latencies it multiplies."""
        return self._sources

    @property
    def sha256(self) -> str:
        """Digest of the forests of the (first) source."""
        return self._sources[0].sha256

    @property
    def accuracy(self) -> Mapping[str, Any]:
        """Cross-validated accuracy; see `predictor_core.learning.crossvalidation`."""
        return self.device_header.accuracy

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the folder that ``nn-meter register`` takes: header and card.

        Parameters
        ----------
        folder : path
            Made if it is absent.

        Returns
        -------
        Path
            The folder.
        """
        from predictor_core.learning.card import write_card

        target = Path(folder)
        write_card(target, self.device_header)
        self.device_header.write(target)
        return target

    def predict_kernels(self, specs: Sequence[KernelSpec], models: Sequence[Sequence[int]]) -> Floats:
        """Latencies in ms of models given as their kernels; see `Predictor.predict_kernels`."""
        if not specs:
            return np.full(len(models), self.overhead_ms)
        return self.overhead_ms + self._learned.models_ms(specs, models)

    def latencies_ms(self, specs: Sequence[KernelSpec]) -> Floats:
        """Latency of each kernel in ms, shape (n,)."""
        if not specs:
            return super().latencies_ms(specs)
        return self._learned.kernels_ms(specs)

    def report(
        self,
        reading: Graph,
        name: str = "",
        *,
        strict: bool = False,
        kernels: Sequence[Kernel] | None = None,
    ) -> LatencyReport:
        """Report on a canonical Graph; that the predictor is rough is among the warnings."""
        report = super().report(reading, name, strict=strict, kernels=kernels)
        verdict = self.accuracy.get("verdict", "good")
        if verdict != "good":
            within = self.accuracy.get("cross_validated", {}).get("within_10", "not known how many")
            rough = (
                f"{self.name} is {verdict}: of the models left out of its fit {within} % were within ±10 %"
            )
            report.warnings = (*report.warnings, rough)
        return report

    def to_sklearn(self) -> dict[str, Any]:
        """Export the forests of the source; see `LatencyPredictor.to_sklearn`."""
        return self._sources[0].to_sklearn()


def _unpickled(data: bytes, sources: Sequence[LatencyPredictor]) -> LearnedPredictor:
    return LearnedPredictor(from_bytes(data), sources)


class LearnedEvaluator:
    """Latency of kernels by the coefficients of a header.

    Parameters
    ----------
    header : DeviceHeader
    sources : tuple of LatencyPredictor
    """

    def __init__(self, header: DeviceHeader, sources: tuple[LatencyPredictor, ...]) -> None:
        names = tuple(header.coefficients)
        self._source = sources[0].unbounded
        self._design = shared_design(
            sources,
            tuple(sorted(header.scale_ms.items())),
            tuple(sorted(header.centers.items())),
            names,
            header.length,
        )
        weights = np.array([header.coefficients[name] for name in names])
        variances = np.array([header.variances.get(name, 0.0) for name in names])
        self._weights = tuple(weights[columns] for columns in self._design.columns)
        self._variances = variances[self._design.columns[0]]
        self._measured = frozenset(header.measured)
        self._ranges = {
            name: np.array(pairs) for name, pairs in header.ranges.items() if len(pairs) == len(NAMES)
        }

    def evaluate(self, specs: Sequence[KernelSpec]) -> list[KernelLatency]:
        """Return the latency of distinct kernels, in their order."""
        rows = self._design.rows(specs)
        latency_ms = self._latency_ms(rows)
        deviation = np.sqrt(rows.values[0] ** 2 @ self._variances + rows.unknown)
        of_source = self._source.kernel_latencies(specs)
        inside = self._inside(specs)
        answers = []
        for i, spec in enumerate(specs):
            known = sort(spec) in self._measured
            outside = () if known and inside[i] else of_source[spec].outside
            ms = float(latency_ms[i])
            measured = known or of_source[spec].measured
            answers.append(KernelLatency(ms, measured, outside, float(deviation[i]), fitted_ms=ms))
        return answers

    def models_ms(self, specs: Sequence[KernelSpec], models: Sequence[Sequence[int]]) -> Floats:
        """Sum of the kernels of each model, given as their places in `specs`, in ms, shape (n,)."""
        rows, items, of_model = self._design.tally(specs, models)
        sums = np.bincount(of_model, weights=self._latency_ms(rows)[items], minlength=len(models))
        return np.asarray(sums, dtype=np.float64)

    def kernels_ms(self, specs: Sequence[KernelSpec]) -> Floats:
        """Latency of each kernel in ms, shape (n,)."""
        rows, items, _ = self._design.tally(specs, [list(range(len(specs)))])
        return self._latency_ms(rows)[items]

    def _latency_ms(self, rows: Rows) -> Floats:
        total = np.zeros(len(rows.base_ms))
        for term in range(len(TERMS)):
            logs = np.clip(rows.values[term] @ self._weights[term], -2 * MAX_LOG, 2 * MAX_LOG)
            total += rows.base_ms[:, term] * np.exp(logs)
        return total

    def _inside(self, specs: Sequence[KernelSpec]) -> NDArray[np.bool_]:
        """Whether each kernel lies where the device's own measurements have kernels."""
        found = coordinates(specs)
        inside = np.zeros(len(specs), dtype=bool)
        groups = [group(spec) for spec in specs]
        for i, name in enumerate(groups):
            pairs = self._ranges.get(name)
            if pairs is not None:
                inside[i] = bool(((found[i] >= pairs[:, 0] - 1e-6) & (found[i] <= pairs[:, 1] + 1e-6)).all())
        return inside
