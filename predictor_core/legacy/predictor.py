"""LegacyPredictor: nn-Meter's own numbers from a pack in its 1.0 format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import UnsupportedOpError
from predictor_core.ir.graph import Graph
from predictor_core.legacy.converted import ConvertedPack
from predictor_core.legacy.detection import UpstreamKernel, detect
from predictor_core.legacy.features import Features, feature_vectors, forest_name
from predictor_core.legacy.pack_folder import load_folder
from predictor_core.legacy.upstream_ir import graph_to_upstream_ir, to_upstream_ir
from predictor_core.predictor import DEFAULT_INPUT_SHAPE
from predictor_core.report import KernelReport, LatencyReport

#: Models read and evaluated at a time.
CHUNK = 500


@dataclass(frozen=True)
class KernelAnswer:
    """One kernel: its feature vector and forest (None where nn-Meter has none) and its latency.

    Parameters
    ----------
    kernel : UpstreamKernel
        The kernel.
    features : tuple of float or None
        None: nn-Meter has no rule for this op.
    forest : str or None
        Name of the forest that gave the latency. None: the pack has none, and nn-Meter silently counts 0.
    latency_ms : float
        Its share of the answer.
    """

    kernel: UpstreamKernel
    features: Features | None
    forest: str | None
    latency_ms: float


@dataclass(frozen=True)
class LegacyKernelReport(KernelReport):
    """One kernel of a report, with what nn-Meter's forest was asked.

    Parameters
    ----------
    features : tuple of float or None
        Feature vector. None: nn-Meter has no rule for this op.
    forest : str or None
        Name of the forest. None: nothing was asked, and the kernel counts as 0 ms.
    """

    features: Features | None = None
    forest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        features = None if self.features is None else list(self.features)
        return {**super().to_dict(), "features": features, "forest": self.forest}


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
                _refuse_zeros(one)
        return [_total(one) for one in answers]

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
            _refuse_zeros(answers)
        name = Path(model).stem if isinstance(model, (str, os.PathLike)) else type(model).__name__
        return LatencyReport(
            name,
            self.name,
            self.version,
            [_report(answer) for answer in answers],
            warnings=_warnings(answers),
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


def _total(answers: Sequence[KernelAnswer]) -> float:
    return float(sum(answer.latency_ms for answer in answers))


def _zeros(answers: Sequence[KernelAnswer]) -> dict[str, int]:
    """Ops that are counted as 0 ms, with the number of their kernels."""
    zeros: dict[str, int] = {}
    for answer in answers:
        if answer.forest is None:
            zeros[answer.kernel.op] = zeros.get(answer.kernel.op, 0) + 1
    return zeros


def _refuse_zeros(answers: Sequence[KernelAnswer]) -> None:
    zeros = _zeros(answers)
    if zeros:
        raise UnsupportedOpError(
            f"strict: this pack has no forest for {_listed(zeros)}, which nn-Meter counts as 0 ms; "
            "use predictor version 2.0, or leave strict out"
        )


def _warnings(answers: Sequence[KernelAnswer]) -> list[str]:
    zeros = _zeros(answers)
    if not zeros:
        return []
    return [
        f"{sum(zeros.values())} kernels are counted as 0 ms, as nn-Meter does without a word: "
        + _listed(zeros)
    ]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(op if count == 1 else f"{op} ({count} times)" for op, count in sorted(counts.items()))


def _report(answer: KernelAnswer) -> LegacyKernelReport:
    kernel = answer.kernel
    return LegacyKernelReport(
        name=kernel.name,
        type=kernel.op,
        latency_ms=answer.latency_ms,
        measured=answer.forest is not None,
        outside=(),
        input_shapes=tuple(tuple(shape) for shape in kernel.fields["input_tensors"]),
        output_shape=kernel.output_shape,
        nodes=kernel.nodes,
        details=f"forest {answer.forest}" if answer.forest else "not counted",
        features=answer.features,
        forest=answer.forest,
    )
