"""nn-Meter's kernel detection: IR dict and fusion rules in, kernels out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from predictor_core.legacy.errors import ParityError, upstream_fault
from predictor_core.legacy.patterns import BLOCKS, chain
from predictor_core.legacy.rules import FusionRules
from predictor_core.legacy.upstream_graph import UpstreamGraph

#: Nodes of these types cost nothing and name no kernel.
NO_OPS = frozenset({"Const", "Identity", "Placeholder"})


@dataclass(frozen=True)
class UpstreamKernel:
    """A kernel as nn-Meter describes it: everything is read from its first op.

    Parameters
    ----------
    op : str
        Types of the fused ops, joined with ``-``.
    name : str
        `op` and the number of the block in topological order: ``conv-relu#1``.
    nodes : tuple of str
        Names of the IR nodes that it covers.
    fields : mapping
        ``input_tensors``; ``ks``, ``strides``, ``inputh``, ``inputw``, ``cin``, ``cout`` where known.
    output_shape : tuple of int
        First output of the first op, which is what nn-Meter knows of the output.
    """

    op: str
    name: str
    nodes: tuple[str, ...]
    fields: Mapping[str, Any]
    output_shape: tuple[int, ...] = ()


def detect(ir: Mapping[str, Any], rules: FusionRules) -> list[UpstreamKernel]:
    """Cut an nn-Meter IR graph into kernels.

    Parameters
    ----------
    ir : mapping
        nn-Meter IR dict; it is not changed.
    rules : FusionRules
        What fuses on the device.

    Returns
    -------
    list of UpstreamKernel
        In topological order of their first ops.

    Raises
    ------
    ParityError
        nn-Meter raises on this graph.
    """
    graph = UpstreamGraph(ir)
    blocks = [("-".join(ops), chain(ops)) for ops in rules.chains]
    for type, pattern in (*blocks, *BLOCKS):
        for names in list(pattern.matches(graph)):
            graph.fuse(names, type)
    order = graph.topological()
    groups = _fuse_pairs(graph, order, rules)
    members: dict[int, list[int]] = {}
    for index, root in enumerate(groups.roots()):
        members.setdefault(root, []).append(index)
    kernels = {}
    for number, root in enumerate(sorted(members)):
        kernel = _kernel(graph, [order[index] for index in members[root]], number)
        if kernel is not None:
            kernels[root] = kernel
    for root, kernel in kernels.items():
        for reader in groups.readers[root]:
            if groups.find(reader) not in kernels:
                raise ParityError(
                    f"kernel {kernel.name!r} is read by {order[reader]!r} of type "
                    f"{graph.nodes[order[reader]].type}, which is no kernel; nn-Meter fails on it"
                )
    return list(kernels.values())


class _Groups:
    """Union-find over topological indices; `readers[root]` are those of the group's last op.

    Readers are sets of int built the way nn-Meter builds them: with ``MON`` 1 or 2 their iteration order
    decides which reader fuses.
    """

    def __init__(self, graph: UpstreamGraph, order: list[str]) -> None:
        index = {name: position for position, name in enumerate(order)}
        self.readers = [{index[reader] for reader in graph.nodes[name].outbounds} for name in order]
        self._parent = list(range(len(order)))

    def find(self, index: int) -> int:
        parent = self._parent
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    def roots(self) -> list[int]:
        return [self.find(index) for index in range(len(self._parent))]

    def join(self, root: int, reader: int) -> None:
        self._parent[reader] = root


def _fuse_pairs(graph: UpstreamGraph, order: list[str], rules: FusionRules) -> _Groups:
    """Grow each kernel from its first op, whose type alone decides what may join."""
    types = [graph.nodes[name].type for name in order]
    groups = _Groups(graph, order)
    readers = groups.readers
    for root, type in enumerate(types):
        if groups.find(root) != root:
            continue
        grown = True
        while grown:
            grown = False
            if rules.multiple_outputs == 0 and len(readers[root]) > 1:
                break
            before = len(readers[root])
            for reader in readers[root]:
                if groups.find(reader) != reader or (type, types[reader]) not in rules.pairs:
                    continue
                groups.join(root, reader)
                grown = True
                if rules.multiple_outputs == 0:
                    readers[root] = readers[reader]
                    break
                readers[root].update(readers[reader])
                if rules.multiple_outputs == 1:
                    break
                if len(readers[root]) != before:
                    raise ParityError(
                        f"rule MON is 2 and node {order[reader]!r} fuses into {order[root]!r}; nn-Meter "
                        "changes the set of readers that it iterates and fails"
                    )
    return groups


def _kernel(graph: UpstreamGraph, names: list[str], number: int) -> UpstreamKernel | None:
    types = [type for name in names if (type := graph.nodes[name].type) and type not in NO_OPS]
    if not types:
        return None
    op = "-".join(types)
    first = graph.nodes[names[0]]
    members = tuple(member for name in names for member in graph.nodes[name].members)
    fields: dict[str, Any] = {key: first.attr[key] for key in ("ks", "strides") if key in first.attr}
    with upstream_fault(f"node {names[0]!r}"):
        inputs, outputs = _shapes(first.input_shape), _shapes(first.output_shape)
        if types[0] == "hswish":
            inputs = [inputs[0]]
        fields["input_tensors"] = inputs
        if inputs:
            if len(inputs[0]) == 4:
                fields["inputh"], fields["inputw"] = inputs[0][1], inputs[0][2]
            fields["cin"] = inputs[0][-1]
        if len(outputs) == 1:
            fields["cout"] = outputs[0][-1]
        output_shape = tuple(outputs[0]) if outputs else ()
    return UpstreamKernel(op, f"{op}#{number}", members, fields, output_shape)


def _shapes(shapes: Any) -> list[Any]:
    if shapes is None:
        raise ValueError("it has no input_shape or no output_shape")
    return list(shapes)
