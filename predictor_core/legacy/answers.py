"""Answers of a 1.0 predictor, kernel by kernel, and what nn-Meter leaves out of them without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from predictor_core.errors import UnsupportedOpError
from predictor_core.legacy.detection import UpstreamKernel
from predictor_core.legacy.features import Features
from predictor_core.predictor.report import KernelReport


@dataclass(frozen=True)
class LegacyKernelReport(KernelReport):
    """One kernel of a report, with what nn-Meter's forest was asked.

    Parameters
    ----------
    features : tuple of float or None
        Feature vector. None: nn-Meter has no rule for this op.
    forest : str or None
        Name of the forest that gave the latency. None: the pack has none, and nn-Meter silently counts 0.
    """

    features: Features | None = None
    forest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        features = None if self.features is None else list(self.features)
        return {**super().to_dict(), "features": features, "forest": self.forest}


def kernel_report(
    kernel: UpstreamKernel, features: Features | None, forest: str | None, latency_ms: float
) -> LegacyKernelReport:
    """Report on a kernel; parameters as for `LegacyKernelReport`."""
    return LegacyKernelReport(
        name=kernel.name,
        type=kernel.op,
        latency_ms=latency_ms,
        measured=forest is not None,
        outside=(),
        input_shapes=tuple(tuple(shape) for shape in kernel.fields["input_tensors"]),
        output_shape=kernel.output_shape,
        nodes=kernel.nodes,
        details=f"forest {forest}" if forest else "not counted",
        features=features,
        forest=forest,
    )


def refuse_zeros(answers: Sequence[LegacyKernelReport]) -> None:
    """Raise `UnsupportedOpError` where a kernel counts as 0 ms."""
    zeros = _zeros(answers)
    if zeros:
        raise UnsupportedOpError(
            f"strict: this pack has no forest for {_listed(zeros)}, which nn-Meter counts as 0 ms; "
            "use predictor version 2.0, or leave strict out"
        )


def warnings_of(answers: Sequence[LegacyKernelReport]) -> list[str]:
    """Return what a reader of the answers has to know."""
    zeros = _zeros(answers)
    if not zeros:
        return []
    return [
        f"{sum(zeros.values())} kernels are counted as 0 ms, as nn-Meter does without a word: "
        + _listed(zeros)
    ]


def _zeros(answers: Sequence[LegacyKernelReport]) -> Counter[str]:
    """Ops that are counted as 0 ms, with the number of their kernels."""
    return Counter(answer.type for answer in answers if answer.forest is None)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(op if count == 1 else f"{op} ({count} times)" for op, count in sorted(counts.items()))
