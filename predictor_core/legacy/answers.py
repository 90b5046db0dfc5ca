"""Answers of a 1.0 predictor, kernel by kernel, and what nn-Meter leaves out of them without a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from predictor_core.errors import UnsupportedOpError
from predictor_core.legacy.detection import UpstreamKernel
from predictor_core.legacy.features import Features
from predictor_core.predictor.report import KernelReport


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


def _zeros(answers: Sequence[KernelAnswer]) -> dict[str, int]:
    """Ops that are counted as 0 ms, with the number of their kernels."""
    zeros: dict[str, int] = {}
    for answer in answers:
        if answer.forest is None:
            zeros[answer.kernel.op] = zeros.get(answer.kernel.op, 0) + 1
    return zeros


def refuse_zeros(answers: Sequence[KernelAnswer]) -> None:
    """Raise `UnsupportedOpError` where a kernel counts as 0 ms."""
    zeros = _zeros(answers)
    if zeros:
        raise UnsupportedOpError(
            f"strict: this pack has no forest for {_listed(zeros)}, which nn-Meter counts as 0 ms; "
            "use predictor version 2.0, or leave strict out"
        )


def warnings_of(answers: Sequence[KernelAnswer]) -> list[str]:
    """Return what a reader of the answers has to know."""
    zeros = _zeros(answers)
    if not zeros:
        return []
    return [
        f"{sum(zeros.values())} kernels are counted as 0 ms, as nn-Meter does without a word: "
        + _listed(zeros)
    ]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(op if count == 1 else f"{op} ({count} times)" for op, count in sorted(counts.items()))


def kernel_report(answer: KernelAnswer) -> LegacyKernelReport:
    """Return the answer in the form of a report."""
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
