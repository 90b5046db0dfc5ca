"""LegacyPredictor: nn-Meter's own numbers from a pack in its 1.0 format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.legacy.answers import LegacyKernelReport, kernel_report, refuse_zeros, warnings_of
from predictor_core.legacy.converted import ConvertedPack
from predictor_core.legacy.detection import UpstreamKernel, detect
from predictor_core.legacy.features import Features, feature_vectors, forest_name
from predictor_core.legacy.pack_folder import load_folder
from predictor_core.legacy.rules import FusionRules
from predictor_core.legacy.upstream_ir import graph_to_upstream_ir, to_upstream_ir
from predictor_core.predictor.base import Predictor
from predictor_core.predictor.report import LatencyReport


class LegacySpec(NamedTuple):
    """What nn-Meter asks its forests about a kernel: the forest, and the features (None: it has no rule)."""

    forest: str
    features: Features | None


class DescribedKernel(NamedTuple):
    """A kernel as nn-Meter cuts it, with what it asks about it."""

    kernel: UpstreamKernel
    spec: LegacySpec


class LegacyPredictor(Predictor):
    """Reproduces what nn-Meter 2.0 answers with a pack of its own format, faults included.

    Parameters
    ----------
    name, version : str
        As in the list of predictors.
    pack : ConvertedPack
        Forests and fusion rules.
    folder : Path
        Where they came from, for pickling.
    """

    def __init__(self, name: str, version: str, pack: ConvertedPack, folder: Path) -> None:
        super().__init__(name, version)
        self.folder = folder
        self._pack = pack

    @classmethod
    def from_folder(
        cls, folder: str | os.PathLike[str], *, name: str = "", version: str = "1.0"
    ) -> LegacyPredictor:
        """Load ``<forest>.pkl`` files and ``fusion_rules.json``.

        Raises
        ------
        PackError
            A file is absent, malformed or refused.
        """
        path = Path(folder)
        return cls(name or path.name, version, load_folder(path), path)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_load_again, (self.folder, self.name, self.version))

    @property
    def reader(self) -> str:
        """Every model becomes the IR that nn-Meter would have made of it."""
        return "nn-meter"

    @property
    def rules(self) -> FusionRules:
        """Fusion rules of the pack."""
        return self._pack.rules

    @property
    def header(self) -> dict[str, Any]:
        """The pack states nothing about itself."""
        return {}

    def read(
        self,
        model: Any,
        model_type: str | None = None,
        input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        **options: Any,
    ) -> Mapping[str, Any]:
        """Read a model into an nn-Meter IR; parameters as for `predict`."""
        return to_upstream_ir(model, model_type, input_shape, apply_nni, **options)

    def read_graph(self, graph: Graph) -> Mapping[str, Any]:
        """Write a canonical Graph as an nn-Meter IR."""
        return graph_to_upstream_ir(graph)

    def kernels(self, reading: Mapping[str, Any]) -> list[DescribedKernel]:
        """Cut an nn-Meter IR into kernels, in nn-Meter's own terms."""
        found = detect(reading, self._pack.rules)
        return [
            DescribedKernel(kernel, LegacySpec(forest_name(kernel.op), vector))
            for kernel, vector in zip(found, feature_vectors(found))
        ]

    def predict_kernels(
        self, specs: Sequence[LegacySpec], models: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """Latencies in ms of models given as their kernels; see `Predictor.predict_kernels`."""
        known = self._latencies(specs)
        rows = [known.get(spec, 0.0) for spec in specs]
        return np.array([sum([rows[i] for i in model]) for model in models], np.float64)

    def refuse_estimates(self, kernels: Sequence[DescribedKernel]) -> None:
        """Raise `UnsupportedOpError` where nn-Meter silently counts a kernel as 0 ms."""
        refuse_zeros(self._answers(kernels))

    def report(
        self,
        reading: Mapping[str, Any],
        name: str = "",
        *,
        strict: bool = False,
        kernels: Sequence[DescribedKernel] | None = None,
    ) -> LatencyReport:
        """Report on an nn-Meter IR, kernel by kernel.

        Kernels that nn-Meter silently counts as 0 ms are marked, and listed in the warnings.
        """
        answers = self._answers(self.kernels(reading) if kernels is None else kernels)
        if strict:
            refuse_zeros(answers)
        return LatencyReport(
            name,
            self.name,
            self.version,
            answers,
            warnings=warnings_of(answers),
            device="the number that nn-Meter gives with this pack, its faults included",
        )

    def explain(self, ir: Mapping[str, Any]) -> list[LegacyKernelReport]:
        """Kernels, feature vectors and latencies of an nn-Meter IR dict, in nn-Meter's own terms."""
        return self._answers(self.kernels(ir))

    def _answers(self, kernels: Sequence[DescribedKernel]) -> list[LegacyKernelReport]:
        known = self._latencies({described.spec for described in kernels})
        return [
            kernel_report(kernel, spec.features, spec.forest if spec in known else None, known.get(spec, 0.0))
            for kernel, spec in kernels
        ]

    def _latencies(self, specs: Iterable[LegacySpec]) -> dict[LegacySpec, float]:
        """Latency of each kernel that the pack has a forest for."""
        forests = self._pack.forests
        by_forest: dict[str, list[LegacySpec]] = {}
        for spec in specs:
            if spec.features is not None and spec.forest in forests.slots:
                by_forest.setdefault(spec.forest, []).append(spec)
        predicted = forests.predict(
            {name: [spec.features for spec in group if spec.features] for name, group in by_forest.items()}
        )
        return {
            spec: ms for name, group in by_forest.items() for spec, ms in zip(group, predicted[name].tolist())
        }


def _load_again(folder: Path, name: str, version: str) -> LegacyPredictor:
    return LegacyPredictor.from_folder(folder, name=name, version=version)
