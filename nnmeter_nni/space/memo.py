"""All candidates of one model space: assembled where they can be, and remembered by window or as a whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnmeter_nni.candidates import record_to_graph
from nnmeter_nni.candidates.candidate import Candidate, freeze
from nnmeter_nni.space.choices import ChoiceSpace
from nnmeter_nni.space.windows import WindowMemo
from predictor_core.frontends import find
from predictor_core.ir.graph import Graph, Shape
from predictor_core.predictor import LatencyPredictor

_logger = logging.getLogger(__name__)

#: Architectures remembered where no windows are; past it the older half is forgotten.
MEMO_SIZE = 2**15

#: A search that has traced this many candidates goes on for long: the rest is filled in, up to a bound.
FILL_AFTER = 32
MAX_FILL = 512


class SpaceMemo:
    """Latencies of the candidates of one space at one input shape.

    Parameters
    ----------
    record : Candidate
        Any candidate of the space.
    input_shape : tuple of int
        Batch first, channels second.
    predictors : sequence of LatencyPredictor
        The devices.

    Attributes
    ----------
    choices : ChoiceSpace or None
        What candidates are assembled from, where all choices pick among modules.
    windows : WindowMemo or None
        What answers without a trace.
    known, traced : int
        Candidates answered from memory, and by a trace.
    """

    def __init__(self, record: Candidate, input_shape: Shape, predictors: Sequence[LatencyPredictor]) -> None:
        self.input_shape = input_shape
        self.predictors = list(predictors)
        self.known = 0
        self.traced = 0
        # A space may be known by the id of an object, which must live as long as this.
        self._keep = record.keep
        self._memo: dict[Hashable, NDArray[np.float64]] = {}
        self._lock = threading.RLock()
        self.choices = self._find_choices(record)
        self.windows: WindowMemo | None = None
        # nn-Meter's own kernel detection, which 1.0 predictors reproduce, can depend on ops far away: their
        # candidates are remembered as a whole.
        found = self.choices
        local = all(isinstance(one, LatencyPredictor) for one in self.predictors)
        if local and found is not None and found.local:
            self.windows = WindowMemo(found.paths, found.values, found.conditions, self.predictors)

    def latencies(self, sample: Mapping[str, Any], build: Callable[[], Graph]) -> NDArray[np.float64]:
        """Return the latency of a sample in ms on each device.

        Parameters
        ----------
        sample : mapping
            Label -> choice.
        build : callable
            Makes the Graph of the candidate, for spaces whose candidates can't be assembled.
        """
        with self._lock:
            chosen = {label: freeze(value) for label, value in sample.items()}
            answer = self._recall(chosen)
            if answer is not None:
                self.known += 1
                return answer
            self.traced += 1
            if self.traced == FILL_AFTER:
                self.fill()
            graph = self.graph(chosen) if self.choices is not None else build()
            if self.windows is not None and self.windows.usable:
                return self.windows.learn(chosen, graph)
            answer = np.array([one.predict_graphs([graph])[0] for one in self.predictors])
            if len(self._memo) >= MEMO_SIZE:
                for old in list(self._memo)[: MEMO_SIZE // 2]:
                    del self._memo[old]
            self._memo[freeze(chosen)] = answer
            return answer

    def graph(self, sample: Mapping[str, Any]) -> Graph:
        """Return the Graph of a sample; only where candidates are assembled."""
        assert self.choices is not None
        with self._lock:
            return find("torch")(self.choices.assemble(sample), input_shape=self.input_shape, via="direct")

    def fill(self, traces: int = MAX_FILL) -> bool:
        """Trace what the windows do not know yet; False when they need more than `traces`.

        Only where candidates are assembled.
        """
        windows = self.windows
        if self.choices is None or windows is None:
            return False
        with self._lock:
            for _ in range(traces):
                sample = windows.missing() if windows.usable else None
                if sample is None:
                    return windows.usable
                windows.learn(sample, self.graph(sample))
        return False

    def _recall(self, chosen: Mapping[str, Hashable]) -> NDArray[np.float64] | None:
        if self.windows is not None and self.windows.usable:
            return self.windows.lookup(chosen)
        return self._memo.get(freeze(chosen))

    def _find_choices(self, record: Candidate) -> ChoiceSpace | None:
        """Find the choices, and make sure that assembling gives what building gives."""
        if record.build_space is None:
            return None
        module = record.build_space()
        if module is None:
            return None
        labels = set(module.simplify()) if hasattr(module, "simplify") else set(record.sample)
        choices = ChoiceSpace.of(module, labels)
        if choices is None:
            return None
        self.choices = choices
        if _same(self.graph(record.sample), record_to_graph(record, self.input_shape)):
            return choices
        _logger.info("the candidates of this space can't be assembled from its modules; each one is built")
        return None


def _same(first: Graph, second: Graph) -> bool:
    """Whether two Graphs are equal but for names."""

    def content(graph: Graph) -> list[Any]:
        position = {tensor: (i, k) for i, node in enumerate(graph) for k, tensor in enumerate(node.tensors)}
        return [(n.op, dict(n.attrs), n.outputs, [position[tensor] for tensor in n.inputs]) for n in graph]

    return content(first) == content(second)
