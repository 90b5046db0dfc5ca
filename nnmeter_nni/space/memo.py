"""SpaceMemo: the candidates of one model space, assembled where they can be, and each predicted once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnmeter_nni.candidates import module_to_graph
from nnmeter_nni.candidates.candidate import Candidate, freeze
from nnmeter_nni.device import DevicePredictor, latency_of
from nnmeter_nni.space.choices import ChoiceSpace, Pair
from nnmeter_nni.space.factors import LatencyFactors
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Shape
from predictor_core.predictor import LatencyPredictor

_logger = logging.getLogger(__name__)

#: Architectures remembered where no factors are; past it the older half is forgotten.
MEMO_SIZE = 2**15

#: A search that has traced this many candidates goes on for long: the rest is filled in, up to a bound.
FILL_AFTER = 32
MAX_FILL = 512


class SpaceMemo:
    """Latencies of the candidates of one space at one input shape.

    Candidates are assembled only while that gives the Graphs of built candidates: a sample with a value that
    no comparison has covered is built as well, and so is every trace whose number is a power of two. On the
    first difference all that rests on assembled candidates is forgotten, and each candidate is built.

    Parameters
    ----------
    record : Candidate
        Any candidate of the space.
    input_shape : tuple of int
        Batch first, channels second.
    predictors : sequence of predictors
        The devices.

    Attributes
    ----------
    choices : ChoiceSpace or None
        What candidates are assembled from; None when each one is built.
    factors : LatencyFactors or None
        What answers without a trace.
    known, traced : int
        Candidates answered from memory, and by a trace.
    """

    def __init__(self, record: Candidate, input_shape: Shape, predictors: Sequence[DevicePredictor]) -> None:
        self.input_shape = input_shape
        self.predictors = list(predictors)
        self.known = 0
        self.traced = 0
        self._filled = False
        # A space may be known by the id of an object, which must live as long as this.
        self._keep = record.keep
        self._memo: dict[Hashable, NDArray[np.float64]] = {}
        self._lock = threading.RLock()
        self.choices = _choices(record)
        self._unchecked: set[Pair] = set() if self.choices is None else self.choices.pairs
        self.factors: LatencyFactors | None = None
        # nn-Meter's own kernel detection, which 1.0 predictors reproduce, can depend on ops far away, and
        # so may predictors of the user: their candidates are remembered as a whole.
        local = [one for one in self.predictors if isinstance(one, LatencyPredictor)]
        if self.choices is not None and len(local) == len(self.predictors):
            self.factors = LatencyFactors(self.choices, local)

    def latencies(self, sample: Mapping[str, Any], build: Callable[[], Graph]) -> NDArray[np.float64]:
        """Return the latency of a sample in ms on each device.

        Parameters
        ----------
        sample : mapping
            Label -> choice.
        build : callable
            Makes the Graph of the candidate by building it.
        """
        with self._lock:
            chosen = {label: freeze(value) for label, value in sample.items()}
            answer = self._recall(chosen)
            if answer is not None:
                self.known += 1
                return answer
            self.traced += 1
            if self.traced >= FILL_AFTER and not self._unchecked and not self._filled:
                self._filled = True
                self.fill()
            graph = self.graph(chosen, build)
            if self.factors is not None and self.factors.usable:
                return self.factors.add(chosen, graph)
            answer = np.array([latency_of(graph, one) for one in self.predictors])
            if len(self._memo) >= MEMO_SIZE:
                for old in list(self._memo)[: MEMO_SIZE // 2]:
                    del self._memo[old]
            self._memo[freeze(chosen)] = answer
            return answer

    def graph(self, sample: Mapping[str, Any], build: Callable[[], Graph]) -> Graph:
        """Return the Graph of a sample; `build` makes it where assembling it is not known to be right."""
        with self._lock:
            chosen = {label: freeze(value) for label, value in sample.items()}
            if self.choices is None:
                return build()
            try:
                assembled = self._assembled(chosen)
            except Exception:  # noqa: BLE001 - modules of the user raise anything; building decides
                assembled = None
            fresh = self._unchecked & self.choices.in_effect(chosen)
            if assembled is not None and not fresh and self.traced & (self.traced - 1):
                return assembled
            built = build()
            if assembled is None or not _same(assembled, built):
                _logger.info("candidates can't be assembled from the modules of the space; each one is built")
                self.choices = self.factors = None
                self._memo.clear()
            self._unchecked -= fresh
            return built

    def check(self, build: Callable[[Mapping[str, Any]], Graph]) -> None:
        """Compare assembled candidates with built ones until every value of every choice is covered.

        Parameters
        ----------
        build : callable
            Makes the Graph of a sample by building it. A sample that it can't build checks nothing.
        """
        while self.choices is not None and self._unchecked:
            before = set(self._unchecked)
            sample = self.choices.completed(self.choices.covering(before))
            try:
                self.graph(sample, lambda sample=sample: build(sample))  # type: ignore[misc]
            except PredictorError:
                return
            if self._unchecked == before:
                return

    def fill(self, traces: int = MAX_FILL) -> bool:
        """Trace what the factors do not know yet.

        Returns
        -------
        bool
            Whether all is known. False too where candidates are not assembled, or not checked in full, or
            more than `traces` are needed, or one can't be traced.
        """
        with self._lock:
            for _ in range(traces):
                if self.factors is None or not self.factors.usable or self._unchecked:
                    return False
                sample = self.factors.missing()
                if sample is None:
                    return True
                try:
                    graph = self._assembled(sample)
                except Exception:  # noqa: BLE001 - modules of the user raise anything
                    return False
                self.factors.add(sample, graph)
        return False

    def _assembled(self, sample: Mapping[str, Any]) -> Graph:
        assert self.choices is not None
        return module_to_graph(self.choices.assemble(sample), self.input_shape)

    def _recall(self, chosen: Mapping[str, Hashable]) -> NDArray[np.float64] | None:
        if self.factors is not None and self.factors.usable:
            return self.factors.lookup(chosen)
        return self._memo.get(freeze(chosen))


def _choices(record: Candidate) -> ChoiceSpace | None:
    """Find the choices of a candidate's space; None when they do more than to pick modules."""
    if record.build_space is None:
        return None
    try:
        module = record.build_space()
    except Exception:  # noqa: BLE001 - a space that can't be built open may still have candidates
        return None
    if module is None:
        return None
    labels = set(module.simplify()) if hasattr(module, "simplify") else set(record.sample)
    return ChoiceSpace.of(module, labels)


def _same(first: Graph, second: Graph) -> bool:
    """Whether two Graphs are equal but for names."""

    def content(graph: Graph) -> list[Any]:
        position = {tensor: (i, k) for i, node in enumerate(graph) for k, tensor in enumerate(node.tensors)}
        nodes = [(n.op, dict(n.attrs), n.outputs, [position[tensor] for tensor in n.inputs]) for n in graph]
        return [*nodes, [position[tensor] for tensor in graph.outputs]]

    return content(first) == content(second)
