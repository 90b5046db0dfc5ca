"""LatencyFactors: latency of a candidate as a sum of factors, each a table over a few choices.

Where a kernel begins and ends depends only on the ops near it, so its latency depends only on the choices
near it; on a device that overlaps kernels, also on those of its segment (`segments`). A traced candidate
tells which choices are within reach of every kernel; these are its scope, and kernels of one scope form a
factor. Two candidates that agree on the scope of a factor spend the same time in it, so a candidate whose
factors have all been seen needs no trace: its latency is the sum.

Each trace also checks the factors that were known before. Should one disagree, the reach is widened and the
tables are filled anew; past `MAX_REACH` they stop answering.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import product
from math import prod
from operator import or_

import numpy as np
from numpy.typing import NDArray

from nnmeter_nni.space.choices import ChoiceSpace, Pair
from nnmeter_nni.space.segments import overlapping, segments
from predictor_core.ir.graph import Graph, Node
from predictor_core.kernels import Kernel
from predictor_core.predictor import LatencyPredictor

_logger = logging.getLogger(__name__)

Sample = Mapping[str, Hashable]
Latencies = NDArray[np.float64]

#: Scope of a factor, and choices there -> ms on each device.
Factor = tuple[tuple[str, ...], dict[tuple[Hashable, ...], Latencies]]

#: Tensors between a kernel and the farthest op that may change where it begins or ends.
REACH = 2
MAX_REACH = 4

#: Traces kept to fill the tables anew when a scope grows, and entries of all tables together.
_KEPT_TRACES = 4096
_MAX_ENTRIES = 2**20

#: Combinations of choices of a factor that are filled in ahead.
MAX_FACTOR = 512


class LatencyFactors:
    """Factors of the latency of the candidates of a space, filled from traced candidates.

    Parameters
    ----------
    choices : ChoiceSpace
        The choices, what can be chosen, and where in the module.
    predictors : sequence of LatencyPredictor
        The devices.
    """

    def __init__(self, choices: ChoiceSpace, predictors: Sequence[LatencyPredictor]) -> None:
        self.choices = choices
        self.labels = tuple(choices.paths)
        #: Path -> bits of the choices there; a choice that is a candidate of another has the same path.
        self._bits: dict[str, int] = {}
        for i, found in enumerate(choices.paths.values()):
            for path in found:
                self._bits[path] = self._bits.get(path, 0) | 1 << i
        self._predictors = list(predictors)
        self._overhead = np.array([one.overhead_ms for one in self._predictors])
        self.reach = REACH
        #: Choices not seen in effect yet. Until all are, it is not known where each one makes ops.
        self._unseen: set[Pair] = choices.pairs
        self._pending: list[tuple[Sample, Graph]] = []
        #: Per choice: anchors seen before and after it where it made any op.
        self._before: dict[int, set[Hashable]] = {}
        self._after: dict[int, set[Hashable]] = {}
        self._forget()

    def _forget(self) -> None:
        #: Column of each anchor (bits of choices, or the name of a node in none) in the traces; its scope.
        self._columns: dict[Hashable, int] = {}
        self._scopes: list[int] = []
        self._traces: list[tuple[Sample, Latencies]] = []
        self._factors: list[tuple[Factor, list[int]]] = []
        self._entries = 0

    @property
    def usable(self) -> bool:
        """Whether the tables may answer at all."""
        return self.reach <= MAX_REACH

    @property
    def complete(self) -> bool:
        """Whether the latency of every candidate is known."""
        known = self.usable and bool(self._factors)
        return known and all(len(table) == self._size(labels) for labels, table in self.tables)

    @property
    def tables(self) -> list[Factor]:
        """What is known."""
        return [factor for factor, _ in self._factors]

    def lookup(self, sample: Sample) -> Latencies | None:
        """Return the latency of a sample on each device in ms, or None when it is not known."""
        if not self._factors:
            return None
        total: Latencies = self._overhead
        for labels, table in self.tables:
            part = table.get(tuple([sample[label] for label in labels]))
            if part is None:
                return None
            total = total + part
        return total

    def add(self, sample: Sample, graph: Graph) -> Latencies:
        """Take in a traced candidate and return its latency on each device in ms."""
        anchors = {node.name: self._anchor(node) for node in graph.nodes}
        self._place(graph.nodes, anchors)
        segment = segments(graph) if any(one.rules.engine for one in self._predictors) else {}
        rows: dict[Hashable, Latencies] = {}
        members: dict[Hashable, list[str]] = {}
        for devices, kernels in self._cut(graph):
            owners = {node: kernel.nodes for kernel in kernels for node in kernel.nodes} if segment else {}
            specs = [kernel.spec for kernel in kernels]
            latencies = np.stack([self._predictors[device].latencies_ms(specs) for device in devices], axis=1)
            for kernel, latency_ms in zip(kernels, latencies):
                anchor = anchors[kernel.name]
                row = rows.setdefault(anchor, np.zeros(len(self._predictors)))
                row[devices] += latency_ms
                nodes = members.setdefault(anchor, [])
                nodes.extend(kernel.nodes)
                if kernel.spec.context:
                    nodes.extend(overlapping(kernel.nodes, owners, segment))
        if self.usable:
            self._take(sample, graph, anchors, rows, members)
        total: Latencies = self._overhead + sum(rows.values())
        return total

    def missing(self) -> Sample | None:
        """Return a sample whose trace would fill in as much as one can, or None when nothing is missing.

        Factors with more than `MAX_FACTOR` combinations of choices are left to be filled as they come up.
        """
        sample = self.choices.covering(self._unseen)
        found = bool(sample)
        values = self.choices.values
        for labels, table in self.tables:
            ranges = [[sample[label]] if label in sample else values[label] for label in labels]
            if len(table) >= self._size(labels) or prod(map(len, ranges)) > MAX_FACTOR:
                continue
            for key in product(*ranges):
                if key not in table:
                    sample.update(zip(labels, key))
                    found = True
                    break
        return self.choices.completed(sample) if found else None

    def _size(self, labels: Iterable[str]) -> int:
        return prod(len(self.choices.values[label]) for label in labels)

    def _cut(self, graph: Graph) -> list[tuple[list[int], Sequence[Kernel]]]:
        """Return the kernels of a Graph with the devices that have them: those of equal rules."""
        alike: list[list[int]] = []
        for device, predictor in enumerate(self._predictors):
            known = [one for one in alike if self._predictors[one[0]].rules == predictor.rules]
            if known:
                known[0].append(device)
            else:
                alike.append([device])
        return [(devices, self._predictors[devices[0]].kernels(graph)) for devices in alike]

    def _take(
        self,
        sample: Sample,
        graph: Graph,
        anchors: Mapping[str, Hashable],
        rows: Mapping[Hashable, Latencies],
        members: Mapping[Hashable, Sequence[str]],
    ) -> None:
        if self._unseen:
            self._unseen -= self.choices.in_effect(sample)
            self._pending.append((sample, graph))
            if not self._unseen:
                pending, self._pending = self._pending, []
                for known in pending:
                    self.add(*known)
            return
        near = self._near(graph, anchors)
        scopes = {anchor: reduce(or_, (near[name] for name in found), 0) for anchor, found in members.items()}
        self._store(sample, rows, scopes)

    def _store(
        self, sample: Sample, rows: Mapping[Hashable, Latencies], scopes: Mapping[Hashable, int]
    ) -> None:
        grown = False
        for anchor, scope in scopes.items():
            column = self._columns.setdefault(anchor, len(self._scopes))
            if column == len(self._scopes):
                self._scopes.append(scope)
                grown = True
            elif self._scopes[column] | scope != self._scopes[column]:
                self._scopes[column] |= scope
                grown = True
        trace = np.zeros((len(self._scopes), len(self._predictors)))
        for anchor, row in rows.items():
            trace[self._columns[anchor]] = row
        if len(self._traces) == _KEPT_TRACES:
            del self._traces[: _KEPT_TRACES // 2]
        self._traces.append((sample, trace))
        if grown or self._entries > _MAX_ENTRIES:
            self._regroup()
            agrees = all(self._fill(*known) for known in self._traces)
        else:
            agrees = self._fill(sample, trace)
        if not agrees:
            self.reach += 1
            _logger.debug("the scope of a factor is too narrow; the reach is now %d", self.reach)
            self._forget()

    def _regroup(self) -> None:
        columns: dict[int, list[int]] = {}
        for column, scope in enumerate(self._scopes):
            columns.setdefault(scope, []).append(column)
        self._entries = 0
        self._factors = [
            ((tuple(label for i, label in enumerate(self.labels) if scope >> i & 1), {}), found)
            for scope, found in columns.items()
        ]

    def _fill(self, sample: Sample, trace: Latencies) -> bool:
        """Add a trace to the tables; False when one of them knows another latency."""
        for (labels, table), columns in self._factors:
            part = trace[[column for column in columns if column < len(trace)]].sum(axis=0)
            key = tuple([sample[label] for label in labels])
            known = table.setdefault(key, part)
            if known is part:
                self._entries += 1
            elif not np.allclose(known, part, rtol=1e-10, atol=1e-12):
                return False
        return True

    def _anchor(self, node: Node) -> Hashable:
        """Return the bits of the choices that a node is inside of, or its name when it is in none."""
        bits = 0
        path = node.scope
        while path:
            bits |= self._bits.get(path, 0)
            path = path.rpartition(".")[0]
        return bits or node.name

    def _near(self, graph: Graph, anchors: Mapping[str, Hashable]) -> dict[str, int]:
        """Bits of the choices within reach of every node."""
        near = {name: anchor if isinstance(anchor, int) else 0 for name, anchor in anchors.items()}
        present = reduce(or_, near.values(), 0)
        empty = [bit for bit in self._before if not bit & present]
        edges = [(graph.producer(tensor).name, node.name) for node in graph.nodes for tensor in node.inputs]
        if empty:
            for source, target in edges:
                passed = self._passed(empty, anchors[source], anchors[target])
                near[source] |= passed
                near[target] |= passed
            for tensor in graph.outputs:
                name = graph.producer(tensor).name
                near[name] |= self._passed(empty, anchors[name], None)
        for _ in range(self.reach):
            wider = dict(near)
            for source, target in edges:
                wider[source] |= near[target]
                wider[target] |= near[source]
            near = wider
        return near

    def _place(self, nodes: Iterable[Node], anchors: Mapping[str, Hashable]) -> None:
        """Note what runs before and after each choice that makes any op here."""
        order = list(dict.fromkeys(anchors[node.name] for node in nodes))
        for i, anchor in enumerate(order):
            if not isinstance(anchor, int):
                continue
            for bit in _split(anchor):
                self._before.setdefault(bit, set()).update(order[:i])
                self._after.setdefault(bit, set()).update(order[i + 1 :])

    def _passed(self, empty: Sequence[int], source: Hashable, target: Hashable | None) -> int:
        """Bits of the choices without an op that an edge may lead through."""
        passed = 0
        for bit in empty:
            before, after = self._before[bit], self._after[bit]
            if source in after and source not in before:
                continue
            if target is not None and target in before and target not in after:
                continue
            passed |= bit
        return passed


def _split(bits: int) -> list[int]:
    return [1 << i for i in range(bits.bit_length()) if bits >> i & 1]
