"""LatencyReport: where the milliseconds go, what was estimated, and how sure the answer is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from predictor_core.ir.graph import Shape

#: Rows of the repr; `to_dict` and `to_dataframe` hold all kernels.
_REPR_ROWS = 60


@dataclass(frozen=True)
class KernelReport:
    """One kernel of a report.

    Parameters
    ----------
    name : str
        Name of the kernel's main node.
    type : str
        Kernel type, such as ``conv-bn-relu``.
    latency_ms : float
        Its predicted latency.
    measured : bool
        True when a forest trained on measurements gives the latency, False for an estimate.
    outside : tuple of str
        Features outside the range that the forest was trained on.
    bounded : bool
        True when the device's peak rates set the latency, because the forest's answer was faster.
    input_shapes, output_shape
        Channels last, batch first.
    nodes : tuple of str
        Names of all nodes that the kernel covers.
    scope : str
        Path of the module it comes from, where the source has modules.
    details : str
        Kernel size, stride and the like, for people.
    macs, moved_bytes : float, optional
        Multiply-accumulates, and bytes of the tensors that are read and written, weights included, in the
        precision of the device. None where they are not known.
    """

    name: str
    type: str
    latency_ms: float
    measured: bool
    outside: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    nodes: tuple[str, ...] = ()
    scope: str = ""
    details: str = ""
    bounded: bool = False
    macs: float | None = None
    moved_bytes: float | None = None

    @property
    def module(self) -> tuple[str, ...]:
        """Path of the module that it comes from; without one, the scopes in its name (``a/b/conv``)."""
        if self.scope:
            return tuple(self.scope.split("."))
        return tuple([part for part in self.name.split("/")[:-1] if part])

    @property
    def supported(self) -> bool:
        """Whether measurements of such kernels give the latency: no estimate, extrapolation or bound."""
        return self.measured and not self.outside and not self.bounded

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "name": self.name,
            "type": self.type,
            "latency_ms": self.latency_ms,
            "measured": self.measured,
            "outside_training_range": list(self.outside),
            "bounded": self.bounded,
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "output_shape": list(self.output_shape),
            "nodes": list(self.nodes),
            "scope": self.scope,
            "details": self.details,
            "macs": self.macs,
            "moved_bytes": self.moved_bytes,
        }


class LatencyReport:
    """Predicted latency of one model on one device, kernel by kernel.

    Parameters
    ----------
    model : str
        Name of the model.
    predictor, version : str
        Which predictor answered.
    kernels : iterable of KernelReport
        In the order of execution.
    overhead_ms : float
        Latency that belongs to no kernel: one constant a model.
    interval_ms : tuple of float, optional
        Nominal 90 % prediction interval of `latency_ms`.
    free : iterable of str
        Source ops that cost nothing on the device.
    warnings : iterable of str
        What to know before trusting the number.
    device : str
        One line about the hardware that the number stands for.
    card : mapping, optional
        Card of the device: what is known of its hardware, its runtime and the accuracy of the predictor.

    Examples
    --------
    >>> kernel = KernelReport("conv1", "conv-bn-relu", 3.0, True, (), ((1, 8, 8, 3),), (1, 8, 8, 16))
    >>> report = LatencyReport("toy", "cortexA76cpu_tflite21", "2.0", [kernel], overhead_ms=1.0)
    >>> report.latency_ms, report.coverage
    (4.0, 1.0)
    """

    def __init__(
        self,
        model: str,
        predictor: str,
        version: str,
        kernels: Iterable[KernelReport],
        *,
        overhead_ms: float = 0.0,
        interval_ms: tuple[float, float] | None = None,
        free: Iterable[str] = (),
        warnings: Iterable[str] = (),
        device: str = "",
        card: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.predictor = predictor
        self.version = version
        self.kernels = tuple(kernels)
        self.overhead_ms = overhead_ms
        self.interval_ms = interval_ms
        self.free = tuple(free)
        self.warnings = tuple(warnings)
        self.device = device
        self.card = dict(card or {})

    @property
    def latency_ms(self) -> float:
        """Predicted latency of the model."""
        return self.overhead_ms + sum(kernel.latency_ms for kernel in self.kernels)

    @property
    def coverage(self) -> float:
        """Share of the kernels' latency, 0 to 1, that measurements of such kernels support.

        The rest is estimated, outside the training range, or set by the device's peak rates.
        """
        total = sum(kernel.latency_ms for kernel in self.kernels)
        supported = sum(kernel.latency_ms for kernel in self.kernels if kernel.supported)
        return supported / total if total > 0 else 1.0

    def by_type(self) -> dict[str, float]:
        """Latency in ms by kernel type, largest first."""
        from predictor_core.views.breakdown import totals

        return totals((kernel.type, kernel.latency_ms) for kernel in self.kernels)

    def by_module(self, depth: int = 1) -> dict[str, float]:
        """Latency in ms by the first `depth` parts of the module path, largest first."""
        from predictor_core.views.breakdown import totals

        return totals((".".join(kernel.module[:depth]), kernel.latency_ms) for kernel in self.kernels)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form with every kernel."""
        return {
            "model": self.model,
            "predictor": self.predictor,
            "predictor_version": self.version,
            "device": self.device,
            "card": dict(self.card),
            "latency_ms": self.latency_ms,
            "interval_ms": list(self.interval_ms) if self.interval_ms else None,
            "overhead_ms": self.overhead_ms,
            "coverage": self.coverage,
            "by_type_ms": self.by_type(),
            "warnings": list(self.warnings),
            "free": list(self.free),
            "kernels": [kernel.to_dict() for kernel in self.kernels],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """Return the dict as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, default=str)

    def to_dataframe(self) -> Any:
        """One row a kernel, as a pandas DataFrame.

        Raises
        ------
        MissingDependencyError
            Without pandas.
        """
        from predictor_core.views.formats import to_dataframe

        return to_dataframe([self], by="kernel", details=True)

    def __repr__(self) -> str:
        from predictor_core.views.text import report_text

        return report_text(self, max_rows=_REPR_ROWS)

    def _repr_html_(self) -> str:
        from predictor_core.views.html import fragment

        return fragment([self])
