"""In which order the nodes of a TensorFlow graph are walked, and what the references between them mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from predictor_core.errors import GraphError, UnsupportedOpError
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.tensorflow.messages import NodeDef

#: Ops of loops.
LOOPS = frozenset(
    {"While", "StatelessWhile", "Enter", "Exit", "NextIteration", "LoopCond", "For", "RefEnter", "RefExit"}
)

#: Place of the outputs of ops whose outputs have names of their own; functions name them so.
_PLACES = {"output_true": 1, "indices": 1, "value_index": 1, "idx": 1}


def input_name(ref: str) -> str:
    """Return the name that the user of a model knows an input by."""
    return ref.partition(":")[0].removeprefix("serving_default_")


def pick(values: Mapping[str, list[Value]], ref: str) -> Value:
    """Return the value of a tensor written as ``name``, ``name:1`` or, in functions, ``name:output:1``."""
    name, _, place = ref.partition(":")
    found = values.get(name)
    if found is None:
        raise GraphError(f"the graph reads {name!r}, which no node makes")
    output, _, number = place.rpartition(":")
    index = (int(number) if number.isdecimal() else 0) + _PLACES.get(output, 0)
    if index >= len(found):
        raise UnsupportedOpError(f"output {index} of node {name!r} is used, which is not supported")
    return found[index]


def ordered(nodes: Mapping[str, NodeDef], wanted: Sequence[str], known: Mapping[str, Any]) -> list[NodeDef]:
    """Return the nodes that the wanted tensors depend on, producers first."""
    order: list[NodeDef] = []
    state: dict[str, bool] = {}
    stack = [ref.partition(":")[0] for ref in reversed(wanted)]
    while stack:
        name = stack[-1]
        if name in known or state.get(name):
            stack.pop()
            continue
        if name not in nodes:
            raise GraphError(f"the graph reads {name!r}, which no node makes")
        node = nodes[name]
        if name in state:
            # Seen before, so everything that it reads is in order by now.
            state[name] = True
            order.append(node)
            stack.pop()
            continue
        state[name] = False
        for ref in reversed(node.inputs):
            if ref.startswith("^"):
                continue
            source = ref.partition(":")[0]
            if source in known or state.get(source):
                continue
            if source in state:
                circle = (nodes[one] for one in _circle(nodes, name, source))
                loop = next((one for one in circle if one.op in LOOPS), None)
                if loop is None:
                    raise GraphError(f"the graph has a cycle through node {name!r} ({node.op})")
                raise endless(loop)
            stack.append(source)
    return order


def endless(node: NodeDef) -> UnsupportedOpError:
    """Return the error for a loop whose count is not known."""
    return UnsupportedOpError(
        f"node {node.name!r} ({node.op}) is part of a loop (while_loop, map_fn, a dynamic RNN), "
        "which runs as often as its data say, so it has no fixed latency; export the model "
        "without it: its body alone, or unrolled"
    )


def _circle(nodes: Mapping[str, NodeDef], last: str, first: str) -> list[str]:
    """Return a way through the inputs from a node to itself: from `first` to `last`, which reads `first`."""
    reached: dict[str, str] = {}
    stack = [first]
    while stack:
        name = stack.pop()
        if name == last:
            break
        for ref in nodes[name].inputs:
            source = ref.partition(":")[0]
            if source in nodes and source not in reached:
                reached[source] = name
                stack.append(source)
    way = [last]
    while way[-1] != first:
        way.append(reached[way[-1]])
    return way
