"""LegacyPredictor: nn-Meter's own numbers from a pack in its 1.0 format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
from predictor_core.ir.graph import Graph
from predictor_core.legacy.answers import (
    KernelAnswer,
    kernel_report,
    refuse_zeros,
    total_ms,
    warnings_of,
)
from predictor_core.legacy.converted import ConvertedPack
from predictor_core.legacy.detection import detect
from predictor_core.legacy.features import Features, feature_vectors, forest_name
from predictor_core.legacy.pack_folder import load_folder
from predictor_core.legacy.upstream_ir import graph_to_upstream_ir, to_upstream_ir
from predictor_core.predictor.report import LatencyReport

#: Models read and evaluated at a time.
CHUNK = 500


class LegacyPredictor:
    """Reproduces what nn-Meter 2.0 answers with a pack of its own format, faults included.

    Has the methods of `predictor_core.LatencyPredictor`. Instances can be shared by threads and pickled.

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
        self.name = name
        self.version = version
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

    def __repr__(self) -> str:
        return f"LegacyPredictor({self.name!r}, version {self.version!r})"

    def predict(
        self,
        model: Any,
        model_type: str | None = None,
        input_shape: Any = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        *,
        strict: bool = False,
        **options: Any,
    ) -> float:
        """Predict the latency of a model as nn-Meter does.

        Parameters
        ----------
        model, model_type, input_shape, apply_nni, **options
            As for `predictor_core.LatencyPredictor.predict`.
        strict : bool
            Refuse a model with kernels that nn-Meter silently counts as 0 ms.

        Returns
        -------
        float
            Latency in ms.

        Raises
        ------
        ParityError
            nn-Meter itself fails on the model.
        PredictorError
            The model can't be read, or `strict` and a kernel is not counted.
        """
        ir = to_upstream_ir(model, model_type, input_shape, apply_nni, **options)
        return self._totals([ir], strict)[0]

    def predict_many(
        self,
        models: Iterable[Any],
        model_type: str | None = None,
        input_shape: Any = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        *,
        strict: bool = False,
        n_jobs: int | None = None,
        **options: Any,
    ) -> NDArray[np.float64]:
        """Predict the latency of many models; see `predict`.

        Parameters
        ----------
        n_jobs : int, optional
            Worker processes, through joblib. Default: this process.

        Returns
        -------
        (n,) float64
            Latencies in ms.
        """
        arguments = (model_type, input_shape, apply_nni, strict, options)
        if n_jobs is None or n_jobs == 1:
            parts = [self._predict_chunk(chunk, *arguments) for chunk in _chunks(models)]
        else:
            import joblib

            task = joblib.delayed(self._predict_chunk)
            parts = joblib.Parallel(n_jobs=n_jobs)(task(chunk, *arguments) for chunk in _chunks(models))
        return np.array([latency for part in parts for latency in part], dtype=np.float64)

    def _predict_chunk(
        self,
        models: Sequence[Any],
        model_type: str | None,
        input_shape: Any,
        apply_nni: bool,
        strict: bool,
        options: Mapping[str, Any],
    ) -> list[float]:
        irs = [to_upstream_ir(model, model_type, input_shape, apply_nni, **options) for model in models]
        return self._totals(irs, strict)

    def _totals(self, irs: Sequence[Mapping[str, Any]], strict: bool) -> list[float]:
        answers = self._answers(irs)
        if strict:
            for one in answers:
                refuse_zeros(one)
        return [total_ms(one) for one in answers]

    def predict_graphs(self, graphs: Sequence[Graph], *, strict: bool = False) -> NDArray[np.float64]:
        """Latencies in ms of canonical Graphs, shape (n,), as nn-Meter would answer for their models."""
        return np.array(self._totals([graph_to_upstream_ir(graph) for graph in graphs], strict), np.float64)

    def profile(
        self,
        model: Any,
        model_type: str | None = None,
        input_shape: Any = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        *,
        strict: bool = False,
        **options: Any,
    ) -> LatencyReport:
        """Predict the latency of a model, kernel by kernel; parameters as for `predict`.

        Returns
        -------
        LatencyReport
            Kernels that nn-Meter silently counts as 0 ms are marked, and listed in the warnings.
        """
        ir = to_upstream_ir(model, model_type, input_shape, apply_nni, **options)
        answers = self._answers([ir])[0]
        if strict:
            refuse_zeros(answers)
        name = Path(model).stem if isinstance(model, (str, os.PathLike)) else type(model).__name__
        return LatencyReport(
            name,
            self.name,
            self.version,
            [kernel_report(answer) for answer in answers],
            warnings=warnings_of(answers),
            device="the number that nn-Meter gives with this pack, its faults included",
        )

    def explain(self, ir: Mapping[str, Any]) -> list[KernelAnswer]:
        """Kernels, feature vectors and latencies of an nn-Meter IR dict, in nn-Meter's own terms."""
        return self._answers([ir])[0]

    def _answers(self, irs: Sequence[Mapping[str, Any]]) -> list[list[KernelAnswer]]:
        """Evaluate the kernels of several models together, equal ones once."""
        forests = self._pack.forests
        rows: dict[str, dict[Features, None]] = {}
        found = []
        for ir in irs:
            kernels = detect(ir, self._pack.rules)
            vectors = feature_vectors(kernels)
            found.append((kernels, vectors))
            for kernel, vector in zip(kernels, vectors):
                forest = forest_name(kernel.op)
                if vector is not None and forest in forests.slots:
                    rows.setdefault(forest, {})[vector] = None
        predicted = forests.predict({forest: list(vectors) for forest, vectors in rows.items()})
        latencies = {forest: dict(zip(rows[forest], ms.tolist())) for forest, ms in predicted.items()}
        answers = []
        for kernels, vectors in found:
            one = []
            for kernel, vector in zip(kernels, vectors):
                forest = forest_name(kernel.op)
                if vector is None or forest not in latencies:
                    one.append(KernelAnswer(kernel, vector, None, 0.0))
                else:
                    one.append(KernelAnswer(kernel, vector, forest, latencies[forest][vector]))
            answers.append(one)
        return answers


def _chunks(models: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(models)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def _load_again(folder: Path, name: str, version: str) -> LegacyPredictor:
    return LegacyPredictor.from_folder(folder, name=name, version=version)
