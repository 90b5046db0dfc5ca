"""What a report says of each kernel, and what its reader has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from predictor_core import kernels
from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.common.values import AS_FLOAT
from predictor_core.ir import ops
from predictor_core.ir.graph import Graph
from predictor_core.kernels import Kernel, KernelSpec, kernel_op
from predictor_core.kernels.costs import ELEMENT_BYTES
from predictor_core.predictor.evaluate import KernelLatency, model_ms
from predictor_core.predictor.report import KernelReport

#: Warning about a model of floats on a predictor of quantised ones.
_AS_INT8 = "the model is not quantised; the predictor was measured on int8 models and costs its int8 form"


def kernel_report(kernel: Kernel, answer: KernelLatency, element_bytes: int = ELEMENT_BYTES) -> KernelReport:
    """Return the row of one kernel; `element_bytes` are those of the device's precision."""
    spec = kernel.spec
    cost = kernels.cost(spec)
    row = kernel_op(spec.op)
    details = []
    if spec.kernel != (1, 1) or row.windowed:
        details.append(f"k{spec.kernel[0]}x{spec.kernel[1]}")
    if spec.strides != (1, 1):
        details.append(
            f"s{spec.strides[0]}"
            if spec.strides[0] == spec.strides[1]
            else f"s{spec.strides[0]}x{spec.strides[1]}"
        )
    if spec.dilations != (1, 1):
        details.append(f"d{spec.dilations[0]}")
    if spec.groups != 1 and not row.channelwise:
        details.append(f"g{spec.groups}")
    return KernelReport(
        name=kernel.name,
        type=spec.type,
        latency_ms=answer.latency_ms,
        measured=answer.measured,
        outside=answer.outside,
        bounded=answer.bounded,
        input_shapes=spec.inputs,
        output_shape=spec.output,
        nodes=kernel.nodes,
        scope=kernel.scope,
        details=" ".join(details),
        macs=float(cost.macs),
        moved_bytes=float(cost.bytes) * element_bytes / ELEMENT_BYTES,
    )


def shared_out(rows: Sequence[KernelLatency]) -> list[float]:
    """Share the latency of a model out among its kernels.

    No kernel takes less than the peak rates of the device allow. What a bounded one takes beyond the forest's
    answer is taken off the others, in proportion to what they take beyond their own bounds: kernels that
    always occur together are measured as a sum, and the bounds say how it can be divided.

    Parameters
    ----------
    rows : sequence of KernelLatency
        Of the kernels of one model.

    Returns
    -------
    list of float
        Latency of each in ms.
    """
    latencies_ms = [row.latency_ms for row in rows]
    if not any(row.bounded for row in rows):
        return latencies_ms
    least_ms = sum(row.least_ms for row in rows)
    room_ms = sum(latencies_ms) - least_ms
    left = (model_ms(rows) - least_ms) / room_ms if room_ms > 0.0 else 0.0
    return [row.least_ms + left * (row.latency_ms - row.least_ms) for row in rows]


def warnings_of(graph: Graph, reports: Sequence[KernelReport], precision: str = "") -> list[str]:
    """Return what was estimated, bounded or unknown, and what lies outside the training range.

    Parameters
    ----------
    graph : Graph
        Canonical.
    reports : sequence of KernelReport
        Of its kernels.
    precision : str
        What the measurements of the predictor compute in: ``"fp32"``, ``"int8"``...
    """
    warnings = list(graph.warnings)
    if precision == "int8" and AS_FLOAT in warnings:
        warnings.remove(AS_FLOAT)
    elif precision == "int8":
        warnings.append(_AS_INT8)
    total = sum(report.latency_ms for report in reports) or 1.0
    unknown = sorted({node.op for node in graph.nodes if ops.find(node.op) is None})
    if unknown:
        warnings.append(f"unknown ops, estimated by the bytes they move: {', '.join(unknown)}")
    estimated = [report for report in reports if not report.measured]
    if estimated:
        types = ", ".join(sorted({report.type for report in estimated}))
        told = _told(estimated, total, "is estimated", "are estimated")
        warnings.append(f"{told}, not measured: {types}")
    bounded = [report for report in reports if report.bounded]
    if bounded:
        worst = max(bounded, key=lambda report: report.latency_ms)
        warnings.append(
            f"{_told(bounded, total, 'takes', 'take')} what the device's peak rates allow, "
            f"for the measurements say less, foremost {worst.name} ({worst.type})"
        )
    outside = [report for report in reports if report.measured and report.outside]
    if outside:
        worst = max(outside, key=lambda report: report.latency_ms)
        warnings.append(
            f"{_told(outside, total, 'is outside', 'are outside')} the training range, "
            f"foremost {worst.name} ({', '.join(worst.outside)})"
        )
    return warnings


def _told(reports: Sequence[KernelReport], total_ms: float, one: str, many: str) -> str:
    """How many kernels, their share of a latency, and what is said of them."""
    share = sum(report.latency_ms for report in reports) / total_ms
    number, does = ("1 kernel", one) if len(reports) == 1 else (f"{len(reports)} kernels", many)
    return f"{number} ({share:.1%} of the latency) {does}"


def refuse_estimates(found: Sequence[Kernel], answers: Mapping[KernelSpec, KernelLatency]) -> None:
    """Raise `UnsupportedOpError` where a kernel would be estimated."""
    estimated = [kernel for kernel in found if not answers[kernel.spec].measured]
    if estimated:
        listed = ", ".join(f"{kernel.name} ({kernel.spec.type})" for kernel in estimated[:5])
        more = f" and {len(estimated) - 5} more" if len(estimated) > 5 else ""
        raise UnsupportedOpError(
            f"strict: no measurement supports {listed}{more}; leave strict out to estimate them"
        )
