"""Patterns of several ops that nn-Meter fuses before it looks at pairs, and the search for them.

A pattern matches an *induced* subgraph: between two matched nodes there are exactly the pattern's edges,
counted. Matches are listed first and fused afterwards, so of two that overlap the first wins; the search
therefore visits nodes in the order in which nn-Meter's matcher (VF2) does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from predictor_core.budget import Meter, current
from predictor_core.legacy.upstream_graph import UpstreamGraph

#: Type that stands for any node; the node that it matches is not fused.
ANY = "dummy"


class Pattern:
    """A small connected graph of types.

    Parameters
    ----------
    types : mapping
        Pattern node -> type, in nn-Meter's order (the first is matched first).
    edges : sequence of (str, str)
        (source, reader) between pattern nodes.
    """

    def __init__(self, types: Mapping[str, str], edges: Sequence[tuple[str, str]]) -> None:
        self._required = {kind for kind in types.values() if kind != ANY}
        self._steps = _plan(types, edges)

    def matches(self, graph: UpstreamGraph) -> Iterator[list[str]]:
        """Yield the names of the nodes to fuse, one list a match; no two have a node in common.

        Of two matches that overlap nn-Meter fuses the first, so the search leaves out the other.
        """
        readers = graph.successors()
        types = {name: graph.nodes[name].type for name in readers}
        present = set(types.values())
        if ANY not in present and not self._required <= present:
            return
        chosen: list[str] = []
        taken: set[str] = set()
        meter = Meter(current())

        def candidates(step: _Step) -> Iterator[str]:
            if step.anchor is None:
                return iter(readers)
            if step.forward:
                return iter(readers[chosen[step.anchor]])
            return iter(dict.fromkeys(graph.nodes[chosen[step.anchor]].inbounds))

        possible = self._possible(graph, readers, types)

        def fits(name: str, step: _Step, at: int) -> bool:
            if name not in possible[at] or name in chosen or (step.type != ANY and name in taken):
                return False
            own = readers[name]
            if name in own:
                return False
            for other, (incoming, outgoing) in zip(chosen, step.edges):
                if readers[other].get(name, 0) != incoming or own.get(other, 0) != outgoing:
                    return False
            return True

        def extend() -> Iterator[list[str]]:
            if len(chosen) == len(self._steps):
                found = [name for name, step in zip(chosen, self._steps) if step.type != ANY]
                taken.update(found)
                yield found
                return
            at = len(chosen)
            step = self._steps[at]
            matches = len(taken)
            for name in candidates(step):
                if fits(name, step, at):
                    meter.look()
                    chosen.append(name)
                    yield from extend()
                    chosen.pop()
                    if len(taken) > matches:
                        if any(one in taken for one, own in zip(chosen, self._steps) if own.type != ANY):
                            return
                        matches = len(taken)

        yield from extend()

    def _possible(
        self, graph: UpstreamGraph, readers: Mapping[str, Mapping[str, int]], types: Mapping[str, str]
    ) -> list[set[str]]:
        """Nodes that each step may match, going by types and by the steps that are looked for beside it."""
        steps = self._steps
        possible: list[set[str]] = [set()] * len(steps)
        for at in reversed(range(len(steps))):
            step = steps[at]
            found = {name for name, kind in types.items() if step.type in (kind, ANY) or kind == ANY}
            for later in range(at + 1, len(steps)):
                if steps[later].anchor != at:
                    continue
                near, wanted = steps[later].forward, possible[later]
                found = {
                    name
                    for name in found
                    if not wanted.isdisjoint(readers[name] if near else graph.nodes[name].inbounds)
                }
            possible[at] = found
        return possible


class _Step(NamedTuple):
    """Next pattern node: its type, where to look for it, its edges with every earlier one."""

    type: str
    anchor: int | None
    forward: bool
    edges: tuple[tuple[int, int], ...]


def _plan(types: Mapping[str, str], edges: Sequence[tuple[str, str]]) -> tuple[_Step, ...]:
    """Order the pattern nodes as VF2 does: readers of the chosen ones first, then their sources."""
    names = list(types)
    order: list[str] = []
    steps = []
    while len(order) < len(names):
        rest = [name for name in names if name not in order]
        ahead = [name for name in rest if any((done, name) in edges for done in order)]
        behind = [name for name in rest if any((name, done) in edges for done in order)]
        name = (ahead or behind or rest)[0]
        anchor = next(
            (i for i, done in enumerate(order) if ((done, name) if ahead else (name, done)) in edges), None
        )
        counts = tuple((edges.count((done, name)), edges.count((name, done))) for done in order)
        steps.append(_Step(types[name], anchor, bool(ahead), counts))
        order.append(name)
    return tuple(steps)


def chain(ops: Sequence[str]) -> Pattern:
    """Pattern of a rule ``BF_a_b_c``: each op reads the one before."""
    names = [f"{op}_{position}" for position, op in enumerate(ops)]
    return Pattern(dict(zip(names, ops)), list(zip(names, names[1:])))


def _pattern(types: str, edges: str) -> Pattern:
    """Build from ``"name:type ..."`` and ``"source>reader>reader ..."``."""
    pairs: list[tuple[str, str]] = []
    for path in edges.split():
        stops = path.split(">")
        pairs.extend(zip(stops, stops[1:]))
    return Pattern(dict(entry.split(":") for entry in types.split()), pairs)


#: (type of the fused node, pattern), tried in this order after the chains of the rules.
BLOCKS: tuple[tuple[str, Pattern], ...] = (
    (
        "se",  # TensorFlow: hard sigmoid in primitive ops, bias apart
        _pattern(
            "x:dummy three:add bias2:BiasAdd clip:relu sixth:mul scale:mul pool:avgpool act:relu "
            "bias1:BiasAdd conv1:conv conv2:conv",
            "x>pool>conv1>bias1>act>conv2>bias2>three>clip>sixth>scale x>scale",
        ),
    ),
    (
        "se",  # ONNX with HardSigmoid
        _pattern(
            "x:dummy pool:gap conv1:conv act:relu conv2:conv gate:hardsigmoid scale:mul",
            "x>pool>conv1>act>conv2>gate>scale x>scale",
        ),
    ),
    (
        "se",  # ONNX with two means and a hard swish as the gate
        _pattern(
            "mean1:gap mean2:gap conv1:conv act:relu conv2:conv three:add clip:relu sixth:div gate:mul "
            "scale:mul",
            "mean1>mean2>conv1>act>conv2>three>clip>sixth>gate>scale conv2>gate",
        ),
    ),
    (
        "hswish",
        _pattern("x:dummy clip:relu three:add sixth:mul scale:mul", "x>three>clip>sixth>scale x>scale"),
    ),
    (
        "hswish",
        _pattern("x:dummy three:add scale:mul clip:relu sixth:div", "x>three>clip>sixth>scale x>scale"),
    ),
    ("hswish", _pattern("three:add clip:relu scale:mul sixth:mul", "three>clip>scale>sixth")),
    ("hswish", _pattern("three:add clip:relu sixth:div scale:mul", "three>clip>sixth>scale")),
    (
        "channelshuffle",  # TensorFlow with computed shapes
        _pattern(
            "split:reshape pack1:Pack slice1:StridedSlice swap:transpose merge:reshape pack2:Pack "
            "slice2:StridedSlice",
            "slice1>pack1>split>swap>merge slice2>pack2>merge",
        ),
    ),
    ("channelshuffle", _pattern("merge:reshape swap:transpose split:reshape", "split>swap>merge")),
    ("gap", _pattern("mean:gap flat:reshape", "mean>flat")),
)
