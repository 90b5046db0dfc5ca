"""Latency of a candidate as a sum over windows of choices.

Where a kernel begins and ends depends only on the ops near it, so its latency depends only on the choices
near it. A traced candidate tells, for every kernel, which choices are within reach; the kernels with the same
reach form a window. Two candidates that agree on the choices of a window spend the same time in it, so a
candidate whose windows have all been seen needs no trace: its latency is the sum.

Each trace also checks the windows known before: should one disagree, the reach is widened, and past
`MAX_REACH` the memo stops answering.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.ir.graph import Graph
from predictor_core.predictor import LatencyPredictor

_logger = logging.getLogger(__name__)

Sample = Mapping[str, Any]
Window = tuple[str, ...]

#: Tensors between a kernel and the farthest op that can change where it begins or ends.
REACH = 2
MAX_REACH = 4

#: Traces that are kept to fill the windows anew when a reach grows.
_KEPT_TRACES = 4096

#: Entries of all windows together.
_MAX_ENTRIES = 2**20


class WindowMemo:
    """Latencies of windows of choices, learnt from traced candidates.

    Parameters
    ----------
    paths : mapping of str to sequence of str
        Label of each choice -> paths of the modules that it decides.
    predictors : sequence of LatencyPredictor
        The devices.
    """

    def __init__(self, paths: Mapping[str, Sequence[str]], predictors: Sequence[LatencyPredictor]) -> None:
        self._label_of = {path: label for label, found in paths.items() for path in found}
        self._predictors = list(predictors)
        self._overhead = np.array([one.overhead_ms for one in self._predictors])
        self.reach = REACH
        #: Position of every node that belongs to no choice, in the order of execution; choices likewise.
        self._order: dict[str, float] = {}
        self._reached: dict[str, set[str]] = {}
        self._tables: dict[Window, dict[tuple[Hashable, ...], NDArray[np.float64]]] = {}
        self._traces: list[tuple[Sample, Graph]] = []

    @property
    def usable(self) -> bool:
        """Whether the memo may answer."""
        return self.reach <= MAX_REACH

    @property
    def windows(self) -> Mapping[Window, Mapping[tuple[Hashable, ...], NDArray[np.float64]]]:
        """What is known: labels of each window -> their choices -> ms on each device."""
        return self._tables

    def lookup(self, sample: Sample) -> NDArray[np.float64] | None:
        """Return the latency of a sample on each device in ms, or None when a window of it is new."""
        if not self._tables or not self.usable:
            return None
        total = self._overhead
        try:
            for window, table in self._tables.items():
                total = total + table[tuple([sample[label] for label in window])]
        except (KeyError, TypeError):
            return None
        return total
