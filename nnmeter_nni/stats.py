"""FilterStats: counts and latencies of the candidates that a filter has judged."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class FilterStats:
    """Counts and latencies of the candidates that a `LatencyFilter` has judged.

    Attributes
    ----------
    seen, accepted, rejected : int
        Candidates judged; ``seen == accepted + rejected``.
    failed : int
        Those among them that could not be predicted, judged by ``on_error``.
    known : int
        Those among them whose architecture had been predicted before.
    latencies_ms : dict of str to array of float
        For each predictor the latency in ms of every candidate that could be predicted, in order.
    nearest : dict
        The rejected candidate that came closest to passing: its ``sample`` and ``latency_ms``.
    rejected_in_a_row : int
        Rejections since the last acceptance.
    """

    seen: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    known: int = 0
    latencies_ms: dict[str, array[float]] = field(default_factory=dict)
    nearest: dict[str, Any] = field(default_factory=dict)
    rejected_in_a_row: int = 0
    _distance: float = field(default=float("inf"), repr=False)

    def count(self, accepted: bool) -> None:
        """Count one verdict."""
        self.seen += 1
        if accepted:
            self.accepted += 1
            self.rejected_in_a_row = 0
        else:
            self.rejected += 1
            self.rejected_in_a_row += 1

    def record(self, latency_ms: Mapping[str, float]) -> None:
        """Keep the latencies of one candidate."""
        for name, value in latency_ms.items():
            self.latencies_ms.setdefault(name, array("d")).append(value)

    def miss(self, distance: float, sample: Mapping[str, Any], latency_ms: Mapping[str, float]) -> None:
        """Keep a rejected candidate when it came closer to passing than those before it."""
        if distance < self._distance:
            self._distance = distance
            self.nearest = {"sample": dict(sample), "latency_ms": dict(latency_ms)}

    def __getstate__(self) -> dict[str, Any]:
        # Counts travel with a pickle; a list that grows with the search does not.
        return {**self.__dict__, "latencies_ms": {}}

    def __str__(self) -> str:
        parts = [f"{self.seen} candidates: {self.accepted} accepted, {self.rejected} rejected"]
        if self.failed:
            parts[0] += f" ({self.failed} could not be predicted)"
        for name, values in self.latencies_ms.items():
            parts.append(
                f"{name} {min(values):.3g} / {median(values):.3g} / {max(values):.3g} ms (min / median / max)"
            )
        if not self.accepted and self.nearest:
            parts.append(f"nearest {_listed(self.nearest['latency_ms'])}")
        return "; ".join(parts)


def _listed(latency_ms: Mapping[str, float]) -> str:
    return ", ".join(f"{value:.4g} ms on {name}" for name, value in latency_ms.items())
