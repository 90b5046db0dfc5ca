"""The analytic base of a kernel's latency, which the forests correct.

A forest says how much slower or faster a kernel is than its arithmetic, its traffic and its launch suggest.
So the base carries the extrapolation: beyond the training range a forest repeats what its outermost leaves
say, and only the base keeps growing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.kernels.costs import Cost
from predictor_core.kernels.names import current_name
from predictor_core.kernels.spec import KernelSpec
from predictor_core.kernels.work import WORK


class AnalyticBase(NamedTuple):
    """Latency linear in a device's work, with coefficients that depend on the size of the kernel window.

    Parameters
    ----------
    terms : tuple of str
        Sorts of work that count, out of `predictor_core.kernels.work.WORK`.
    window_areas : tuple of int
        Window areas (height x width), increasing. A kernel takes the coefficients of the smallest
        window that is no smaller than its own, or else of the largest.
    coefficients : tuple of tuple of float
        For each window, ms per unit of each term.
    """

    terms: tuple[str, ...]
    window_areas: tuple[int, ...]
    coefficients: tuple[tuple[float, ...], ...]

    @classmethod
    def from_header(cls, entry: dict[str, Any]) -> AnalyticBase:
        """Read what `to_header` wrote.

        Raises
        ------
        ValueError
            When a term is unknown, or there is not one positive coefficient of each term for each of
            increasing windows.
        """
        terms = tuple(current_name(str(term)) for term in entry["terms"])
        unknown = [term for term in terms if term not in WORK]
        if unknown or not terms:
            raise ValueError(f"a base counts {sorted(WORK)}, got {list(terms)}")
        areas = tuple(int(area) for area in entry["windows"])
        rows = tuple(tuple(float(value) for value in row) for row in entry["coefficients"])
        if not areas or list(areas) != sorted(set(areas)) or len(rows) != len(areas):
            raise ValueError("a base needs one row of coefficients for each of increasing windows")
        for row in rows:
            if len(row) != len(terms) or not all(0.0 < value < float("inf") for value in row):
                raise ValueError(f"coefficients of a base must be positive, one a term, got {list(row)}")
        return cls(terms, areas, rows)

    def to_header(self) -> dict[str, Any]:
        """Plain lists, for the header of a pack."""
        return {
            "terms": list(self.terms),
            "windows": list(self.window_areas),
            "coefficients": [list(row) for row in self.coefficients],
        }

    def latency_ms(self, specs: Sequence[KernelSpec], costs: Sequence[Cost]) -> NDArray[np.float64]:
        """Return the base of several kernels in ms, shape (len(specs),)."""
        return np.array(self.latencies_ms(specs, costs), dtype=np.float64)

    def latencies_ms(self, specs: Sequence[KernelSpec], costs: Sequence[Cost]) -> list[float]:
        """Return the same as a list."""
        functions = [WORK[term] for term in self.terms]
        areas, last = self.window_areas, len(self.window_areas) - 1
        out = []
        for spec, cost in zip(specs, costs):
            row = self.coefficients[min(bisect_left(areas, prod(spec.kernel)), last)]
            total = 0.0
            for coefficient, work in zip(row, functions):
                total += coefficient * work(spec, cost)
            out.append(total)
        return out
