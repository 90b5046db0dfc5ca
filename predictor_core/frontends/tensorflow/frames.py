"""Loops of TensorFlow 1: a circle of nodes in a frame of its own, made one node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from predictor_core.errors import GraphError
from predictor_core.frontends.tensorflow.messages import NodeDef


class Variable(NamedTuple):
    """What a loop hands from turn to turn: the nodes that give it, and the tensor that is it after a turn."""

    merge: str
    switch: str
    after: str


class Frame(NodeDef):
    """A loop as its first node: it reads what enters, and gives what the variables are in the end.

    Parameters
    ----------
    name : str
        Of the node.
    variables : sequence of Variable
        In the order of the first inputs.
    constants : sequence of str
        Nodes that give in every turn what the other inputs are.
    condition : str
        The tensor that tells whether one more turn follows.
    inputs : sequence of str
        What enters.
    """

    __slots__ = ("condition", "constants", "variables")

    def __init__(
        self,
        name: str,
        variables: Sequence[Variable],
        constants: Sequence[str],
        condition: str,
        inputs: list[str],
    ) -> None:
        self.name, self.op, self.inputs, self._attrs = name, "Enter", inputs, {}
        self.variables = variables
        self.constants = constants
        self.condition = condition


def framed(nodes: Mapping[str, NodeDef]) -> dict[str, NodeDef]:
    """Return the nodes of a graph, the first of each loop in place of all: the exits of the loop read it."""
    found: dict[str, NodeDef] = dict(nodes)
    frames: dict[str, list[NodeDef]] = {}
    #: Merge by what it reads first, switch by merge, exit by switch.
    readers: dict[tuple[str, str], NodeDef] = {}
    for node in nodes.values():
        if node.op in ("Enter", "RefEnter"):
            frames.setdefault(node.string("frame_name"), []).append(node)
        elif node.op in ("Merge", "Exit") or (node.op == "Switch" and _is_condition(nodes, node)):
            readers[node.op, _source(node, 0)] = node
    for enters in frames.values():
        variables: list[tuple[NodeDef, Variable]] = []
        constants: list[NodeDef] = []
        condition = ""
        for enter in enters:
            merge = readers.get(("Merge", enter.name))
            switch = readers.get(("Switch", merge.name)) if merge is not None else None
            if merge is None or switch is None:
                constants.append(enter)
                continue
            after = _read(nodes, _source(merge, 1))
            condition = _read(nodes, _source(switch, 1))
            leaves = readers.get(("Exit", switch.name))
            if leaves is not None:
                leaves.inputs = [f"{enters[0].name}:{len(variables)}"]
            variables.append((enter, Variable(merge.name, switch.name, after)))
        if not variables:
            continue
        found[enters[0].name] = Frame(
            enters[0].name,
            [variable for _, variable in variables],
            [enter.name for enter in constants],
            condition,
            [_read(nodes, enter.name) for enter in (*(enter for enter, _ in variables), *constants)],
        )
    return found


def inside(nodes: Mapping[str, NodeDef]) -> set[str]:
    """Return the names of the nodes of a framed graph that run once a turn: they are no results."""
    readers: dict[str, list[str]] = {}
    for node in nodes.values():
        for ref in node.inputs:
            readers.setdefault(ref.lstrip("^").partition(":")[0], []).append(node.name)
    found = {node.name for node in nodes.values() if node.op == "LoopCond"}
    pending = list(found)
    while pending:
        new = set(readers.get(pending.pop(), ())) - found
        found |= new
        pending += new
    return found


def _source(node: NodeDef, place: int) -> str:
    if place >= len(node.inputs):
        raise GraphError(f"node {node.name!r} ({node.op}) has {len(node.inputs)} inputs")
    return node.inputs[place].partition(":")[0]


def _read(nodes: Mapping[str, NodeDef], name: str) -> str:
    """Return the tensor that a node passes on."""
    node = nodes.get(name)
    if node is None or not node.inputs:
        raise GraphError(f"the graph reads {name!r}, which no node makes")
    return node.inputs[0]


def _is_condition(nodes: Mapping[str, NodeDef], switch: NodeDef) -> bool:
    condition = nodes.get(_source(switch, 1))
    return condition is not None and condition.op == "LoopCond"
