"""LatencyPredictor: a model in, milliseconds out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PackError
from predictor_core.forest import Pack, load_pack
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.fusion import Rules, detect, read_rules
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.kernels import Kernel, KernelSpec
from predictor_core.predictor.base import Predictor
from predictor_core.predictor.evaluate import Evaluator, KernelEvaluator, KernelLatency, model_ms
from predictor_core.predictor.hardness import hardness
from predictor_core.predictor.interval import Widths
from predictor_core.predictor.interval_file import INTERVAL_FILE, read_widths
from predictor_core.predictor.profile import kernel_report, refuse_estimates, shared_out, warnings_of
from predictor_core.predictor.report import LatencyReport
from predictor_core.predictor.roofline import CARD_FILE, Roofline, estimate_factors, read_card

#: Kernels remembered by a predictor; past it the oldest half is forgotten.
MEMO_SIZE = 2**16


class LatencyPredictor(Predictor):
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
    roofline : Roofline, optional
        Peak rates of the device, which bound every kernel. Default: no bound.
    card : mapping, optional
        Card of the device, for reports and for factors on its estimates.
    widths : Widths, optional
        How wide its intervals are. Default: as wide for all architectures as the header of the pack says.

    Examples
    --------
    >>> from predictor_core import load_latency_predictor, zoo
    >>> predictor = load_latency_predictor("cortexA76cpu_tflite21")
    >>> predictor.predict(zoo.build("mobilenetv2")) > 1.0
    True
    """

    #: Card of the device; None where there is none.
    card: Mapping[str, Any] | None = None
    #: How wide its intervals are.
    widths: Widths

    def __init__(
        self,
        name: str,
        version: str,
        pack: Pack,
        rules: Rules,
        path: Path,
        roofline: Roofline | None = None,
        card: Mapping[str, Any] | None = None,
        widths: Widths | None = None,
    ) -> None:
        super().__init__(name, version)
        self._rules = rules
        self._pack = pack
        self._path = path
        try:
            self.overhead_ms = float(pack.header["constant_ms"])
            if not 0.0 <= self.overhead_ms < float("inf"):
                raise ValueError(f"constant_ms is {self.overhead_ms}")
            flat = Widths.flat(pack.header["interval"])
        except (KeyError, TypeError, ValueError) as error:
            raise PackError(
                f"pack of {name} {version} lacks a part of its header, or has it wrong: {error!r}"
            ) from error
        self.card = card
        self.widths = widths or flat
        self.roofline = roofline or Roofline()
        self._evaluator: Evaluator = KernelEvaluator(
            pack, f"{name} {version}", self.roofline, estimate_factors(card or {})
        )
        self._memo: dict[KernelSpec, KernelLatency] = {}
        self._lock = threading.Lock()
        self._unbounded: LatencyPredictor | None = None

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

        The device card and the half widths of the intervals are read, too, where they are beside it.

        Raises
        ------
        PackError
            When the pack or its rules are absent, or one of the files is malformed.
        """
        pack = load_pack(path, sha256)
        device = str(pack.header.get("device", name))
        rules = read_rules(Path(path).with_name("fusion_rules.yaml"))
        card = read_card(Path(path).with_name(CARD_FILE))
        version = version or str(pack.header.get("version", ""))
        widths = read_widths(Path(path).with_name(INTERVAL_FILE))
        return cls(name or device, version, pack, rules, Path(path), Roofline.from_card(card), card, widths)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_load_again, (self._path, self.name, self.version, self._pack.sha256))

    @property
    def sha256(self) -> str:
        """Digest of the forests, by which a learned device knows its source."""
        return self._pack.sha256

    @property
    def unbounded(self) -> LatencyPredictor:
        """The same without what its card adds, the bound of its data sheet and factors on its estimates.

        Neither says anything of the devices that are learned from it.
        """
        if self.roofline == Roofline():
            return self
        if self._unbounded is None:
            self._unbounded = LatencyPredictor(self.name, self.version, self._pack, self._rules, self._path)
        return self._unbounded

    @property
    def estimate(self) -> dict[str, float]:
        """Constants of the estimates: ``launch_ms``, ``macs_per_ms``, ``bytes_per_ms``."""
        return {name: float(value) for name, value in self._pack.header["estimate"].items()}

    @property
    def header(self) -> dict[str, Any]:
        """Header of the pack: bases, ranges, provenance, accuracy of the forests."""
        return self._pack.header

    @property
    def reader(self) -> str:
        """Every model becomes a canonical Graph."""
        return "graph"

    @property
    def rules(self) -> Rules:
        """Fusion rules of the device."""
        return self._rules

    def read(
        self,
        model: Any,
        model_type: str | None = None,
        input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        **options: Any,
    ) -> Graph:
        """Read a model into a canonical Graph; parameters as for `predict`."""
        return to_graph(model, model_type, input_shape, apply_nni, **options)

    def read_graph(self, graph: Graph) -> Graph:
        """Return the canonical Graph itself."""
        return graph

    def kernels(self, reading: Graph) -> list[Kernel]:
        """Kernels that the device runs for a canonical Graph, with the nodes that they cover."""
        return detect(reading, self._rules)

    def refuse_estimates(self, kernels: Sequence[Kernel]) -> None:
        """Raise `UnsupportedOpError` where a kernel would be estimated."""
        refuse_estimates(kernels, self.kernel_latencies({kernel.spec for kernel in kernels}))

    def predict_kernels(
        self, specs: Sequence[KernelSpec], models: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """Latencies in ms of models given as their kernels; see `Predictor.predict_kernels`.

        What was measured are sums over whole models, so the sum of the forests' answers stands, unless the
        peak rates of the device do not even allow that; how it is shared out among the kernels is up to them
        (`shared_out`).
        """
        rows = self._rows(specs)
        return np.array([model_ms([rows[i] for i in model]) for model in models]) + self.overhead_ms

    def report(
        self,
        reading: Graph,
        name: str = "",
        *,
        strict: bool = False,
        kernels: Sequence[Kernel] | None = None,
    ) -> LatencyReport:
        """Report on a canonical Graph, kernel by kernel; the Graph's own name goes before `name`."""
        found = self.kernels(reading) if kernels is None else kernels
        answers = self.kernel_latencies({kernel.spec for kernel in found})
        if strict:
            refuse_estimates(found, answers)
        rows = [answers[kernel.spec] for kernel in found]
        reports = [
            kernel_report(kernel, row._replace(latency_ms=latency_ms), self.roofline.element_bytes)
            for kernel, row, latency_ms in zip(found, rows, shared_out(rows))
        ]
        hard = hardness(np.ones((1, len(rows))), [kernel.spec for kernel in found], rows, self.overhead_ms)
        low_ms, high_ms = self.widths.interval_ms(np.array([model_ms(rows) + self.overhead_ms]), hard)
        return LatencyReport(
            reading.name or name,
            self.name,
            self.version,
            reports,
            overhead_ms=self.overhead_ms,
            interval_ms=(float(low_ms[0]), float(high_ms[0])),
            free=reading.free,
            warnings=warnings_of(reading, reports, str((self.card or {}).get("precision", ""))),
            device=str(self.header.get("description", "")),
            card=self.card,
        )

    def latencies_ms(self, specs: Sequence[KernelSpec]) -> NDArray[np.float64]:
        """Latency of each kernel in ms as it adds up to a model's, shape (n,); see `predict_kernels`."""
        answers = self.kernel_latencies(specs)
        return np.array([answers[spec].fitted_ms for spec in specs], dtype=np.float64)

    def kernel_latencies(self, specs: Iterable[KernelSpec]) -> dict[KernelSpec, KernelLatency]:
        """Latency of each distinct kernel; known ones come from the memo."""
        distinct = dict.fromkeys(specs)
        return dict(zip(distinct, self._rows(list(distinct))))

    def _rows(self, specs: Sequence[KernelSpec]) -> list[KernelLatency]:
        """Latency of distinct kernels, in their order."""
        memo = self._memo
        rows = [memo.get(spec) for spec in specs]
        missing = [i for i, row in enumerate(rows) if row is None]
        if missing:
            found = [specs[i] for i in missing]
            fresh = self._evaluator.evaluate(found)
            for i, row in zip(missing, fresh):
                rows[i] = row
            with self._lock:
                if len(memo) + len(fresh) > MEMO_SIZE:
                    for spec in list(memo)[: MEMO_SIZE // 2]:
                        del memo[spec]
                if len(fresh) <= MEMO_SIZE // 2:
                    memo.update(zip(found, fresh))
        return [row for row in rows if row is not None]

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


def _load_again(path: Path, name: str, version: str, sha256: str) -> LatencyPredictor:
    return LatencyPredictor.from_pack(path, name=name, version=version, sha256=sha256)
