"""A report as text: what `print(report)` and ``nn-meter predict --verbose`` show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from predictor_core.text import printable
from predictor_core.views.grid import grid

if TYPE_CHECKING:
    from predictor_core.ir.graph import Shape
    from predictor_core.predictor.report import KernelReport, LatencyReport

HEADINGS = ("kernel", "type", "input", "output", "details", "ms", "share", "note")
_RIGHT = (5, 6)


def report_text(report: LatencyReport, *, max_rows: int | None = None, width: int | None = None) -> str:
    """Write a report as text: the sum, a row a kernel, the sums by kernel type, the warnings.

    Parameters
    ----------
    report : LatencyReport
        What to show.
    max_rows : int, optional
        Show no more kernels than these, the costly ones. Default: all of them.
    width : int, optional
        Characters of a line of the table; see `predictor_core.views.grid.grid`.
    """
    return "\n".join(_parts(report, max_rows, width))


def _parts(report: LatencyReport, max_rows: int | None, width: int | None) -> Iterator[str]:
    yield from summary(report)
    yield ""
    rows = kernel_rows(report)
    left_out = 0 if max_rows is None else len(rows) - max_rows
    if left_out > 0:
        # The costly ones are what a reader looks for; their order stays that of execution.
        order = sorted(range(len(rows)), key=lambda i: -report.kernels[i].latency_ms)
        rows = [rows[i] for i in sorted(order[:max_rows])]
    yield grid([HEADINGS, *rows], right=_RIGHT, width=width)
    if left_out > 0:
        yield f"... and {left_out} cheaper kernels (see to_dataframe)"
    yield ""
    total_ms = report.latency_ms or 1.0
    for name, ms in report.by_type().items():
        yield f"{printable(name):<24} {ms:>10.4f} ms  {ms / total_ms:>6.1%}"
    for warning in report.warnings:
        yield f"warning: {printable(warning)}"


def summary(report: LatencyReport) -> list[str]:
    """Return the lines above the table."""
    line = f"{report.latency_ms:.4g} ms"
    if report.interval_ms:
        line += f"  (90 % interval {report.interval_ms[0]:.4g} to {report.interval_ms[1]:.4g} ms)"
    lines = [f"{printable(report.model or 'model')} on {report.predictor} {report.version}: {line}"]
    if report.device:
        lines.append(printable(report.device))
    lines.append(
        f"{len(report.kernels)} kernels, coverage {report.coverage:.1%}, "
        f"{report.overhead_ms:.4g} ms of overhead, {len(report.free)} free ops"
    )
    return lines


def kernel_rows(report: LatencyReport) -> list[tuple[str, ...]]:
    """Return a row of `HEADINGS` for each kernel."""
    total_ms = report.latency_ms or 1.0
    return [
        (
            kernel.name,
            kernel.type,
            shape_text(kernel.input_shapes[0]) if kernel.input_shapes else "",
            shape_text(kernel.output_shape),
            kernel.details,
            f"{kernel.latency_ms:.4f}",
            f"{kernel.latency_ms / total_ms:.1%}",
            note_of(kernel),
        )
        for kernel in report.kernels
    ]


def shape_text(shape: Shape) -> str:
    """Return a shape as ``1x224x224x3``."""
    return "x".join(str(dim) for dim in shape)


def note_of(kernel: KernelReport) -> str:
    """Return what the latency of a kernel rests on, where that is not a measured kernel."""
    if kernel.bounded:
        return "at the peak rate of the device"
    if not kernel.measured:
        return "estimated"
    if kernel.outside:
        return "outside training range: " + ", ".join(kernel.outside)
    return ""
