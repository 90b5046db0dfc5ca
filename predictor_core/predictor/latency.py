"""LatencyPredictor: a model in, milliseconds out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.errors import PackError, UnsupportedOpError
from predictor_core.forest import Pack, load_pack, tree_values
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.fusion import Rules, detect, read_rules
from predictor_core.ir.graph import Graph
from predictor_core.ir.ops import KNOWN_OPS
from predictor_core.kernels import Kernel, KernelSpec
from predictor_core.kernels.base import AnalyticBase
from predictor_core.predictor.interval import interval
from predictor_core.predictor.report import KernelReport, LatencyReport

#: Kernels remembered by a predictor; past it the oldest half is forgotten.
MEMO_SIZE = 2**16


class KernelLatency(NamedTuple):
    """Answer for one KernelSpec: ms, is it measured, features out of range, spread of the trees."""

    latency_ms: float
    measured: bool
    outside: tuple[str, ...]
    spread: float


def _limits(ranges: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each feature, with the slack of the forests' single precision."""
    lowest, highest = np.array(ranges, dtype=np.float64).reshape(-1, 2).T
    slack = 1e-6 * np.maximum(np.maximum(np.abs(lowest), np.abs(highest)), 1.0)
    return lowest - slack, highest + slack


class LatencyPredictor:
    """Predicts the latency of a model on one device.

    Made by `predictor_core.load_latency_predictor`. Instances can be shared by threads and pickled.

    Parameters
    ----------
    name, version : str
        As in the list of predictors.
    pack : Pack
        The forests and what goes with them.
    rules : Rules
        Fusion rules of the device.
    path : Path
        File that the pack came from, for pickling.

    Examples
    --------
    >>> from predictor_core import load_latency_predictor, zoo
    >>> predictor = load_latency_predictor("cortexA76cpu_tflite21")
    >>> predictor.predict(zoo.build("mobilenetv2")) > 1.0
    True
    """

    def __init__(self, name: str, version: str, pack: Pack, rules: Rules, path: Path) -> None:
        self.name = name
        self.version = version
        self.rules = rules
        self._pack = pack
        self._path = path
        header = pack.header
        try:
            self.overhead_ms = float(header["constant_ms"])
            self._estimate = header["estimate"]
            self._bases = {
                forest: AnalyticBase.from_header(entry["base"]) for forest, entry in header["forests"].items()
            }
            self._ranges = {forest: _limits(entry["ranges"]) for forest, entry in header["forests"].items()}
        except (KeyError, TypeError, ValueError) as error:
            raise PackError(f"pack of {name} {version} lacks a part of its header: {error!r}") from error
        for forest, entry in header["forests"].items():
            known = kernels.FORESTS.get(forest)
            if known is None or list(known.names) != list(entry["features"]):
                raise PackError(
                    f"pack of {name} {version}: forest {forest!r} was trained on other features than this "
                    "version of the package computes; train the pack again"
                )
        self._memo: dict[KernelSpec, KernelLatency] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_pack(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        version: str | None = None,
        sha256: str | None = None,
    ) -> LatencyPredictor:
        """Load a pack file, with the ``fusion_rules.yaml`` beside it.

        Raises
        ------
        PackError
            When the pack or its rules are absent or malformed.
        """
        pack = load_pack(path, sha256)
        device = str(pack.header.get("device", name))
        rules = read_rules(Path(path).with_name("fusion_rules.yaml"))
        return cls(name or device, version or str(pack.header.get("version", "")), pack, rules, Path(path))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_load_again, (self._path, self.name, self.version, self._pack.sha256))

    def __repr__(self) -> str:
        return f"LatencyPredictor({self.name!r}, version {self.version!r})"

    @property
    def sha256(self) -> str:
        """Digest of the forests, by which a learned device knows its source."""
        return self._pack.sha256

    @property
    def estimate(self) -> dict[str, float]:
        """Constants of the estimates: ``launch_ms``, ``macs_per_ms``, ``bytes_per_ms``."""
        return {name: float(value) for name, value in self._estimate.items()}

    @property
    def header(self) -> dict[str, Any]:
        """Header of the pack: bases, ranges, provenance, accuracy of the forests."""
        return self._pack.header

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
        """Predict the latency of a model.

        Parameters
        ----------
        model : path or object
            A file, or an object of the model type; a `Graph` needs no type.
        model_type : str
            ``"onnx"``, ``"torch"``, ``"pb"``, ``"nnmeter-ir"``, ``"nni-ir"`` or ``"torchvision"``.
        input_shape : tuple of int, or several
            Shape of the input, channels first, with or without the batch: needed for torch models
            and for files with symbolic dimensions.
        apply_nni : bool
            Read a torch module that is written with NNI's ``nn`` through NNI's converter.
        strict : bool
            Refuse what no measurement supports, instead of estimating it.
        **options
            Passed to the front end of the model type.

        Returns
        -------
        float
            Latency in ms.

        Raises
        ------
        PredictorError
            When the model can't be read, or `strict` and a kernel would be estimated.
        """
        graph = to_graph(model, model_type, input_shape, apply_nni, **options)
        return float(self.predict_graphs([graph], strict=strict)[0])

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
        """Predict the latency of many models.

        Parameters
        ----------
        models : iterable
            Paths or objects; see `predict` for the other parameters.
        n_jobs : int, optional
            Worker processes, through joblib and whatever backend it is set to. Default: this process.

        Returns
        -------
        (n,) float64
            Latencies in ms.
        """
        from predictor_core.predictor.batch import predict_many

        rows = predict_many(
            [self], models, model_type, input_shape, apply_nni, strict=strict, n_jobs=n_jobs, **options
        )
        return np.asarray(rows[0])

    def predict_graphs(self, graphs: Sequence[Graph], *, strict: bool = False) -> NDArray[np.float64]:
        """Latencies in ms of canonical Graphs, shape (n,)."""
        found = [detect(graph, self.rules) for graph in graphs]
        if strict:
            answers = self.kernel_latencies({kernel.spec for kernels_ in found for kernel in kernels_})
            for kernels_ in found:
                _refuse_estimates(kernels_, answers)
        return self.predict_kernels([[kernel.spec for kernel in kernels_] for kernels_ in found])

    def predict_kernels(self, models: Sequence[Sequence[KernelSpec]]) -> NDArray[np.float64]:
        """Latencies in ms of models given as their kernels, shape (n,)."""
        try:
            sums = _sums(models, self._memo)
        except KeyError:
            sums = _sums(models, self.kernel_latencies({spec for specs in models for spec in specs}))
        return np.array(sums) + self.overhead_ms

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
        """
        graph = to_graph(model, model_type, input_shape, apply_nni, **options)
        found = detect(graph, self.rules)
        answers = self.kernel_latencies({kernel.spec for kernel in found})
        if strict:
            _refuse_estimates(found, answers)
        reports = [_kernel_report(kernel, graph, answers[kernel.spec]) for kernel in found]
        low_ms, high_ms = interval(
            self.header,
            np.array([report.latency_ms for report in reports]),
            np.array([report.measured for report in reports], dtype=bool),
            np.array([bool(report.outside) for report in reports], dtype=bool),
            np.array([answers[kernel.spec].spread for kernel in found]),
        )
        return LatencyReport(
            graph.name or _model_name(model),
            self.name,
            self.version,
            reports,
            overhead_ms=self.overhead_ms,
            interval_ms=(low_ms, high_ms),
            free=graph.free,
            warnings=_warnings(graph, reports),
            device=str(self.header.get("description", "")),
        )

    def kernel_latencies(self, specs: Iterable[KernelSpec]) -> dict[KernelSpec, KernelLatency]:
        """Latency of each distinct kernel; known ones come from the memo."""
        memo = self._memo
        answers = {}
        missing = []
        for spec in specs:
            answer = memo.get(spec)
            if answer is None:
                missing.append(spec)
            else:
                answers[spec] = answer
        if missing:
            fresh = self._evaluate(missing)
            answers.update(fresh)
            with self._lock:
                if len(memo) + len(fresh) > MEMO_SIZE:
                    for spec in list(memo)[: MEMO_SIZE // 2]:
                        del memo[spec]
                if len(fresh) <= MEMO_SIZE // 2:
                    memo.update(fresh)
        return answers

    def to_sklearn(self) -> dict[str, Any]:
        """Export the forests as fitted scikit-learn objects.

        Returns
        -------
        dict of str to sklearn.ensemble.RandomForestRegressor
            One a forest. Rows are ``kernels.features(name, specs)``; the answer is the logarithm of a
            kernel's latency over its analytic base (`header`).

        Raises
        ------
        MissingDependencyError
            Without scikit-learn.
        """
        from predictor_core.forest.sklearn_export import to_sklearn

        return {name: to_sklearn(forest) for name, forest in self._pack.forests.items()}

    def clear_memo(self) -> None:
        """Forget the kernels seen so far."""
        with self._lock:
            self._memo.clear()

    def _evaluate(self, specs: Sequence[KernelSpec]) -> dict[KernelSpec, KernelLatency]:
        servings = [kernels.serve(spec) for spec in specs]
        by_forest: dict[str | None, list[KernelSpec]] = {}
        forests = self._pack.forests
        for part in dict.fromkeys(part for serving in servings for _, part in serving.parts):
            forest = kernels.kind(part.op).forest
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
        for spec, serving in zip(specs, servings):
            parts, scale, measured, summed = serving
            if summed:
                shares = [weight * exp(logs[part]) for weight, part in parts]
                latency_ms = sum(shares)
                spread = sum(share * spreads[part] for share, (_, part) in zip(shares, parts)) / latency_ms
            else:
                latency_ms = exp(sum(weight * logs[part] for weight, part in parts))
                spread = sum(weight * spreads[part] for weight, part in parts)
            names = dict.fromkeys(name for _, part in parts for name in outside[part])
            measured = measured and not any(part in unsupported for _, part in parts)
            answers[spec] = KernelLatency(scale * latency_ms, measured, tuple(names), spread)
        return answers

    def _estimated_ms(self, spec: KernelSpec) -> float:
        """Launch plus the slower of computing and moving (a roofline with constants of the fit)."""
        macs, moved = kernels.cost(spec)
        constants = self._estimate
        return float(
            constants["launch_ms"] + max(macs / constants["macs_per_ms"], moved / constants["bytes_per_ms"])
        )

    def _outside(self, forest: str, x: NDArray[np.float64]) -> list[tuple[str, ...]]:
        """Names of the features of each row that no training kernel has reached."""
        lowest, highest = self._ranges[forest]
        beyond = (x < lowest) | (x > highest)
        answers: list[tuple[str, ...]] = [()] * len(x)
        names = self.header["forests"][forest]["features"]
        for row in np.flatnonzero(beyond.any(axis=1)):
            answers[row] = tuple(names[i] for i in np.flatnonzero(beyond[row]))
        return answers


def _load_again(path: Path, name: str, version: str, sha256: str) -> LatencyPredictor:
    return LatencyPredictor.from_pack(path, name=name, version=version, sha256=sha256)


def _sums(models: Sequence[Sequence[KernelSpec]], answers: Mapping[KernelSpec, KernelLatency]) -> list[float]:
    return [sum([answers[spec][0] for spec in specs]) for specs in models]


def _refuse_estimates(found: Sequence[Kernel], answers: Mapping[KernelSpec, KernelLatency]) -> None:
    estimated = [kernel for kernel in found if not answers[kernel.spec].measured]
    if estimated:
        listed = ", ".join(f"{kernel.name} ({kernel.spec.type})" for kernel in estimated[:5])
        more = f" and {len(estimated) - 5} more" if len(estimated) > 5 else ""
        raise UnsupportedOpError(
            f"strict: no measurement supports {listed}{more}; leave strict out to estimate them"
        )


def _kernel_report(kernel: Kernel, graph: Graph, answer: KernelLatency) -> KernelReport:
    spec = kernel.spec
    details = []
    if spec.kernel != (1, 1) or spec.op in ("conv", "dwconv", "groupconv", "convtranspose"):
        details.append(f"k{spec.kernel[0]}x{spec.kernel[1]}")
    if spec.strides != (1, 1):
        details.append(
            f"s{spec.strides[0]}"
            if spec.strides[0] == spec.strides[1]
            else f"s{spec.strides[0]}x{spec.strides[1]}"
        )
    if spec.dilations != (1, 1):
        details.append(f"d{spec.dilations[0]}")
    if spec.groups != 1 and spec.op != "dwconv":
        details.append(f"g{spec.groups}")
    return KernelReport(
        name=kernel.name,
        type=spec.type,
        latency_ms=answer.latency_ms,
        measured=answer.measured,
        outside=answer.outside,
        input_shapes=spec.inputs,
        output_shape=spec.output,
        nodes=kernel.nodes,
        scope=kernel.scope,
        details=" ".join(details),
    )


def _warnings(graph: Graph, reports: Sequence[KernelReport]) -> list[str]:
    warnings = []
    total = sum(report.latency_ms for report in reports) or 1.0
    unknown = sorted({node.op for node in graph.nodes if node.op not in KNOWN_OPS})
    if unknown:
        warnings.append(f"unknown ops, estimated by the bytes they move: {', '.join(unknown)}")
    estimated = [report for report in reports if not report.measured]
    if estimated:
        share = sum(report.latency_ms for report in estimated) / total
        types = ", ".join(sorted({report.type for report in estimated}))
        warnings.append(
            f"{len(estimated)} kernels ({share:.1%} of the latency) are estimated, not measured: {types}"
        )
    outside = [report for report in reports if report.measured and report.outside]
    if outside:
        share = sum(report.latency_ms for report in outside) / total
        worst = max(outside, key=lambda report: report.latency_ms)
        warnings.append(
            f"{len(outside)} kernels ({share:.1%} of the latency) are outside the training range, "
            f"foremost {worst.name} ({', '.join(worst.outside)})"
        )
    return warnings


def _model_name(model: Any) -> str:
    if isinstance(model, (str, os.PathLike)):
        return Path(model).stem
    return type(model).__name__
