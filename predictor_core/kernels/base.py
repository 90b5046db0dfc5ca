"""The analytic base of a kernel's latency, which the forests correct.

A forest says how much slower or faster a kernel is than its arithmetic, its traffic and its launch suggest.
So the base carries the extrapolation: beyond the training range a forest repeats what its outermost leaves
say, and only the base keeps growing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.kernels.costs import Cost
from predictor_core.kernels.spec import KernelSpec


@dataclass(frozen=True)
class AnalyticBase:
    """Latency linear in MACs and bytes, with coefficients that depend on the size of the kernel window.

    Parameters
    ----------
    windows : tuple of int
        Window areas (height x width), increasing. A kernel takes the coefficients of the smallest
        window that is no smaller than its own, or else of the largest.
    coefficients : tuple of (float, float, float)
        For each window: ms per MAC, ms per byte, ms per launch.
    """

    windows: tuple[int, ...]
    coefficients: tuple[tuple[float, float, float], ...]

    @classmethod
    def from_header(cls, entry: dict[str, Any]) -> AnalyticBase:
        """Read what `to_header` wrote.

        Raises
        ------
        ValueError
            When there is not one positive coefficient of each kind for each of increasing windows.
        """
        windows = tuple(int(window) for window in entry["windows"])
        rows = [tuple(float(value) for value in row) for row in entry["coefficients"]]
        if not windows or list(windows) != sorted(set(windows)) or len(rows) != len(windows):
            raise ValueError("a base needs one row of coefficients for each of increasing windows")
        coefficients = []
        for row in rows:
            macs, moved, launch = row
            if not (macs > 0.0 and moved > 0.0 and launch > 0.0):
                raise ValueError(f"coefficients of a base must be positive, got {row}")
            coefficients.append((macs, moved, launch))
        return cls(windows, tuple(coefficients))

    def to_header(self) -> dict[str, Any]:
        """Plain lists, for the header of a pack."""
        return {"windows": list(self.windows), "coefficients": [list(row) for row in self.coefficients]}

    def row(self, window: int) -> int:
        """Index of the coefficients that a window area takes."""
        return min(bisect_left(self.windows, window), len(self.windows) - 1)

    def latency_ms(self, specs: Sequence[KernelSpec], costs: Sequence[Cost]) -> NDArray[np.float64]:
        """Return the base of several kernels in ms, shape (len(specs),)."""
        coefficients = self.coefficients
        out = []
        for spec, (computed, moved) in zip(specs, costs):
            per_mac, per_byte, launch = coefficients[self.row(spec.kernel[0] * spec.kernel[1])]
            out.append(per_mac * computed + per_byte * moved + launch)
        return np.array(out)
