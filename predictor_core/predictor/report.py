"""LatencyReport: where the milliseconds go, what was estimated, and how sure the answer is."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from predictor_core.errors import missing_dependency
from predictor_core.ir.graph import Shape
from predictor_core.views.table import HEADINGS, kernel_rows, report_text, summary

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
        return self._totals(kernel.type for kernel in self.kernels)

    def by_module(self, depth: int = 1) -> dict[str, float]:
        """Latency in ms by the first `depth` parts of the module path, largest first."""
        return self._totals(".".join(kernel.scope.split(".")[:depth]) for kernel in self.kernels)

    def _totals(self, keys: Iterable[str]) -> dict[str, float]:
        totals: dict[str, float] = {}
        for key, kernel in zip(keys, self.kernels):
            totals[key] = totals.get(key, 0.0) + kernel.latency_ms
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form with every kernel."""
        return {
            "model": self.model,
            "predictor": self.predictor,
            "predictor_version": self.version,
            "device": self.device,
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
        return json.dumps(self.to_dict(), indent=indent)

    def to_dataframe(self) -> Any:
        """One row a kernel, as a pandas DataFrame.

        Raises
        ------
        MissingDependencyError
            Without pandas.
        """
        try:
            import pandas
        except ImportError as error:
            raise missing_dependency("pandas", "plot", "A data frame") from error
        frame = pandas.DataFrame([kernel.to_dict() for kernel in self.kernels])
        if len(frame):
            frame["share"] = frame["latency_ms"] / self.latency_ms
        return frame

    def __repr__(self) -> str:
        return report_text(self, max_rows=_REPR_ROWS)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in HEADINGS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in kernel_rows(self)
        )
        head_lines = "<br>".join(html.escape(line) for line in summary(self))
        warnings = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return (
            f"<p><b>{head_lines}</b></p><ul>{warnings}</ul>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
