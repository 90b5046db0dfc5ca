"""Latency of a candidate as a sum over windows of choices.

Where a kernel begins and ends depends only on the ops near it, so its latency depends only on the choices
near it; on a device that runs kernels at once, also on what may run beside it (`regions`). A traced candidate
tells which choices are within reach of every kernel; kernels with the same reach form a window. Two
candidates that agree on the choices of a window spend the same time in it, so a candidate whose windows have
all been seen needs no trace: its latency is the sum.

Each trace also checks the windows that were known before. Should one disagree, the reach is widened and
learning starts anew; past `MAX_REACH` the memo stops answering.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from nnmeter_nni.space.regions import regions
from predictor_core.fusion import detect
from predictor_core.ir.graph import Graph, Node
from predictor_core.kernels import Kernel
from predictor_core.predictor import LatencyPredictor

_logger = logging.getLogger(__name__)

Sample = Mapping[str, Hashable]
Latencies = NDArray[np.float64]

#: Tensors between a kernel and the farthest op that may change where it begins or ends.
REACH = 2
MAX_REACH = 4

#: Traces kept to fill the windows anew when one grows, and entries of all windows together.
_KEPT_TRACES = 4096
_MAX_ENTRIES = 2**20

#: Combinations of choices of a window that are filled in ahead.
MAX_WINDOW = 512


class WindowMemo:
    """Latencies of windows of choices, learnt from traced candidates.

    Parameters
    ----------
    paths : mapping of str to sequence of str
        Label of each choice -> paths of the modules that it decides.
    values : mapping of str to sequence
        Label of each choice -> what can be chosen.
    conditions : mapping of str to mapping
        Label of each choice inside of others -> their values with which it is there.
    predictors : sequence of LatencyPredictor
        The devices.
    """

    def __init__(
        self,
        paths: Mapping[str, Sequence[str]],
        values: Mapping[str, Sequence[Hashable]],
        conditions: Mapping[str, Mapping[str, Hashable]],
        predictors: Sequence[LatencyPredictor],
    ) -> None:
        self.labels = tuple(paths)
        #: Path -> bits of the choices there; a choice that is a candidate of another has the same path.
        self._bits: dict[str, int] = {}
        for i, found in enumerate(paths.values()):
            for path in found:
                self._bits[path] = self._bits.get(path, 0) | 1 << i
        self._predictors = list(predictors)
        self._overhead = np.array([one.overhead_ms for one in self._predictors])
        self.reach = REACH
        self._values = {label: list(found) for label, found in values.items()}
        self._conditions = conditions
        #: Choices not seen in effect yet. Until all are, it is not known where each one makes ops.
        self._unseen = {(label, value) for label, found in values.items() for value in found}
        self._pending: list[tuple[Sample, Graph]] = []
        #: Per choice: anchors seen before and after it where it made any op.
        self._before: dict[int, set[Hashable]] = {}
        self._after: dict[int, set[Hashable]] = {}
        self._forget()

    def _forget(self) -> None:
        #: Column of each anchor (a choice region, or a node outside all) in the traces, and its window.
        self._columns: dict[Hashable, int] = {}
        self._masks: list[int] = []
        self._traces: list[tuple[Sample, Latencies]] = []
        self._windows: list[tuple[tuple[str, ...], list[int], dict[tuple[Hashable, ...], Latencies]]] = []
        self._entries = 0

    @property
    def usable(self) -> bool:
        """Whether the memo may answer at all."""
        return self.reach <= MAX_REACH

    @property
    def windows(self) -> list[tuple[tuple[str, ...], Mapping[tuple[Hashable, ...], Latencies]]]:
        """What is known: the labels of each window, and choices -> ms on each device."""
        return [(labels, table) for labels, _, table in self._windows]

    @property
    def overhead_ms(self) -> Latencies:
        """Part of a latency that belongs to no kernel, on each device."""
        return self._overhead

    def lookup(self, sample: Sample) -> Latencies | None:
        """Return the latency of a sample on each device in ms, or None when a window of it is new."""
        if not self._windows:
            return None
        total: Latencies = self._overhead
        for labels, _, table in self._windows:
            part = table.get(tuple([sample[label] for label in labels]))
            if part is None:
                return None
            total = total + part
        return total

    def learn(self, sample: Sample, graph: Graph) -> Latencies:
        """Take in a traced candidate and return its latency on each device in ms."""
        anchors = {node.name: self._anchor(node) for node in graph.nodes}
        beside = regions(graph) if any(one.rules.engine for one in self._predictors) else {}
        self._place(graph.nodes, anchors)
        rows: dict[Hashable, Latencies] = {}
        members: dict[Hashable, list[str]] = {}
        for device, predictor in enumerate(self._predictors):
            kernels = detect(graph, predictor.rules)
            owners = {node: kernel.nodes for kernel in kernels for node in kernel.nodes} if beside else {}
            answers = predictor.kernel_latencies({kernel.spec for kernel in kernels})
            for kernel in kernels:
                anchor = anchors[kernel.name]
                if anchor not in rows:
                    rows[anchor] = np.zeros(len(self._predictors))
                    members[anchor] = []
                rows[anchor][device] += answers[kernel.spec].latency_ms
                members[anchor].extend(kernel.nodes)
                if kernel.spec.context:
                    members[anchor].extend(_beside(kernel, owners, beside))
        if self.usable:
            if self._unseen:
                self._unseen.difference_update(
                    (label, value) for label, value in sample.items() if self._in_effect(label, sample)
                )
                self._pending.append((sample, graph))
                if not self._unseen:
                    pending, self._pending = self._pending, []
                    for known in pending:
                        self.learn(*known)
            else:
                near = self._near(graph, anchors)
                self._store(
                    sample, rows, {a: _union(near[name] for name in found) for a, found in members.items()}
                )
        total: Latencies = self._overhead + sum(rows.values())
        return total

    def missing(self) -> Sample | None:
        """Return a sample whose trace would fill in as much as one can, or None when nothing is missing.

        Windows with more than `MAX_WINDOW` combinations of choices are left to be filled as they come up.
        """
        sample: dict[str, Hashable] = {}
        for label, value in sorted(self._unseen, key=repr):
            needed = {**self._conditions.get(label, {}), label: value}
            if all(sample.get(one, wanted) == wanted for one, wanted in needed.items()):
                sample.update(needed)
        found = bool(sample)
        for labels, _, table in self._windows:
            ranges = [[sample[label]] if label in sample else self._values[label] for label in labels]
            if len(table) >= prod(len(self._values[label]) for label in labels):
                continue
            if prod(map(len, ranges)) > MAX_WINDOW:
                continue
            for key in product(*ranges):
                if key not in table:
                    sample.update(zip(labels, key))
                    found = True
                    break
        if not found:
            return None
        return {label: sample.get(label, values[0]) for label, values in self._values.items()}

    def _in_effect(self, label: str, sample: Sample) -> bool:
        return all(sample[one] == value for one, value in self._conditions.get(label, {}).items())

    def _store(
        self, sample: Sample, rows: Mapping[Hashable, Latencies], masks: Mapping[Hashable, int]
    ) -> None:
        grown = False
        for anchor, mask in masks.items():
            column = self._columns.setdefault(anchor, len(self._masks))
            if column == len(self._masks):
                self._masks.append(mask)
                grown = True
            elif self._masks[column] | mask != self._masks[column]:
                self._masks[column] |= mask
                grown = True
        trace = np.zeros((len(self._masks), len(self._predictors)))
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
            _logger.debug("a window of choices is too narrow; the reach is now %d", self.reach)
            self._forget()

    def _regroup(self) -> None:
        columns: dict[int, list[int]] = {}
        for column, mask in enumerate(self._masks):
            columns.setdefault(mask, []).append(column)
        self._entries = 0
        self._windows = [
            (tuple(label for i, label in enumerate(self.labels) if mask >> i & 1), found, {})
            for mask, found in columns.items()
        ]

    def _fill(self, sample: Sample, trace: Latencies) -> bool:
        """Add a trace to the windows; False when one of them knows another latency."""
        for labels, columns, table in self._windows:
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
        return self._mask(node.scope) or node.name

    def _mask(self, scope: str) -> int:
        mask = 0
        while scope:
            mask |= self._bits.get(scope, 0)
            scope = scope.rpartition(".")[0]
        return mask

    def _near(self, graph: Graph, anchors: Mapping[str, Hashable]) -> dict[str, int]:
        """Bits of the choices within reach of every node."""
        near = {name: anchor if isinstance(anchor, int) else 0 for name, anchor in anchors.items()}
        present = _union(near.values())
        silent = [bit for bit in self._before if not bit & present]
        edges = [(graph.producer(tensor).name, node.name) for node in graph.nodes for tensor in node.inputs]
        if silent:
            for source, target in edges:
                passed = self._passed(silent, anchors[source], anchors[target])
                near[source] |= passed
                near[target] |= passed
            for tensor in graph.outputs:
                name = graph.producer(tensor).name
                near[name] |= self._passed(silent, anchors[name], None)
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

    def _passed(self, silent: Sequence[int], source: Hashable, target: Hashable | None) -> int:
        """Bits of the choices without an op that an edge may lead through."""
        passed = 0
        for bit in silent:
            before, after = self._before[bit], self._after[bit]
            if source in after and source not in before:
                continue
            if target is not None and target in before and target not in after:
                continue
            passed |= bit
        return passed


def _beside(
    kernel: Kernel, owners: Mapping[str, Sequence[str]], regions: Mapping[str, Sequence[str]]
) -> set[str]:
    """Nodes that what runs beside a kernel, and who makes its inputs, may depend on."""
    found = {name for node in kernel.nodes for name in regions[node]}
    return found.union(*(owners.get(node, ()) for node in found))


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _split(mask: int) -> list[int]:
    return [1 << i for i in range(mask.bit_length()) if mask >> i & 1]
