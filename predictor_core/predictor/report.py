"""LatencyReport: where the milliseconds go, what was estimated, and how sure the answer is."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from predictor_core.errors import missing_dependency
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

    def _summary(self) -> list[str]:
        line = f"{self.latency_ms:.4g} ms"
        if self.interval_ms:
            line += f"  (90 % interval {self.interval_ms[0]:.4g} to {self.interval_ms[1]:.4g} ms)"
        lines = [f"{self.model or 'model'} on {self.predictor} {self.version}: {line}"]
        if self.device:
            lines.append(self.device)
        lines.append(
            f"{len(self.kernels)} kernels, coverage {self.coverage:.1%}, "
            f"{self.overhead_ms:.4g} ms of overhead, {len(self.free)} free ops"
        )
        return lines

    def _rows(self) -> list[tuple[str, ...]]:
        total = self.latency_ms or 1.0
        return [
            (
                kernel.name,
                kernel.type,
                _shape(kernel.input_shapes[0]) if kernel.input_shapes else "",
                _shape(kernel.output_shape),
                kernel.details,
                f"{kernel.latency_ms:.4f}",
                f"{kernel.latency_ms / total:.1%}",
                _note(kernel),
            )
            for kernel in self.kernels
        ]

    def __repr__(self) -> str:
        rows = self._rows()
        left_out = len(rows) - _REPR_ROWS
        if left_out > 0:
            # The costly ones are what a reader looks for; their order stays that of execution.
            order = sorted(range(len(rows)), key=lambda i: -self.kernels[i].latency_ms)
            rows = [rows[i] for i in sorted(order[:_REPR_ROWS])]
        table = [_HEADINGS, *rows]
        widths = [min(max(len(row[i]) for row in table), 48) for i in range(len(_HEADINGS))]
        text = [*self._summary(), ""]
        for row in table:
            cells = [
                (cell if len(cell) <= width else cell[: width - 1] + "…").rjust(width)
                if i in _RIGHT
                else (cell if len(cell) <= width else "…" + cell[1 - width :]).ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths))
            ]
            text.append("  ".join(cells).rstrip())
        if left_out > 0:
            text.append(f"... and {left_out} cheaper kernels (see to_dataframe)")
        text.append("")
        text += [
            f"{name:<24} {ms:>10.4f} ms  {ms / (self.latency_ms or 1.0):>6.1%}"
            for name, ms in self.by_type().items()
        ]
        text += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(text)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in _HEADINGS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        summary = "<br>".join(html.escape(line) for line in self._summary())
        warnings = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        return (
            f"<p><b>{summary}</b></p><ul>{warnings}</ul>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


_HEADINGS = ("kernel", "type", "input", "output", "details", "ms", "share", "note")
_RIGHT = (5, 6)


def _shape(shape: Shape) -> str:
    return "x".join(str(dim) for dim in shape)


def _note(kernel: KernelReport) -> str:
    if kernel.bounded:
        return "at the peak rate of the device"
    if not kernel.measured:
        return "estimated"
    if kernel.outside:
        return "outside training range: " + ", ".join(kernel.outside)
    return ""
