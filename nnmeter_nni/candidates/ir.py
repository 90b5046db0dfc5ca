"""The IR of NNI's graph engines: its graphs, with their edges sorted by what they lead to.

The IR is the nested dict that ``Model._dump()`` returns: graph name -> ``inputs``, ``outputs``, ``nodes``
(name -> ``operation``) and ``edges``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.ir.graph import Shape

#: Name of the graph of a whole model.
ROOT = "_model"

#: Node that gives the arguments that no edge leads to.
LOOSE = "_loose"

Ir = Mapping[str, Any]


class IrGraph(NamedTuple):
    """One graph of the IR, its edges sorted by what they lead to.

    Parameters
    ----------
    nodes : mapping
        Name -> node.
    arguments : mapping
        Name -> (head node, head slot) of each argument, in order.
    loose : list of Shape
        Shapes of arguments that no edge leads to, because NNI leaves an open choice out of the graph.
    """

    nodes: Ir
    arguments: dict[str, list[tuple[str, int | None]]]
    loose: list[Shape]


def read_graph(ir: Ir, name: str) -> IrGraph:
    """Read one graph of the IR.

    Raises
    ------
    ModelFormatError
        When there is no such graph.
    """
    try:
        nodes: dict[str, Ir] = dict(ir[name]["nodes"])
        edges: Sequence[Ir] = ir[name]["edges"]
    except (KeyError, TypeError) as error:
        raise ModelFormatError(
            f"expected the IR of an NNI model with a graph {name!r} of nodes and edges, but got {error!r}"
        ) from error
    slots: dict[str, dict[int, tuple[str, int | None]]] = {}
    open_choices = [key for key, node in nodes.items() if node["operation"].get("cell_name", name) not in ir]
    for edge in edges:
        (head, head_slot), (tail, tail_slot) = edge["head"], edge["tail"]
        if head not in open_choices and tail not in open_choices:
            slots.setdefault(tail, {})[tail_slot or 0] = (head, head_slot)
    loose: list[Shape] = []
    for key in open_choices:
        del nodes[key]
    for key, node in nodes.items():
        operation = node["operation"]
        shapes = (operation.get("attributes") or {}).get("input_shape") or []
        for slot, shape in enumerate(shapes):
            if shape and slot not in slots.setdefault(key, {}):
                slots[key][slot] = (LOOSE, len(loose))
                loose.append(tuple(int(size) for size in shape))
    arguments = {tail: [source for _, source in sorted(found.items())] for tail, found in slots.items()}
    return IrGraph(nodes, arguments, loose)


def topological(nodes: Ir, arguments: Mapping[str, Sequence[tuple[str, int | None]]]) -> list[str]:
    """Return the names of the nodes, each after those that it reads.

    Raises
    ------
    GraphError
        When there is a cycle, or a node that is read is absent.
    """
    order: list[str] = []
    state: dict[str, bool] = {}
    for start in nodes:
        stack = [(start, False)]
        while stack:
            name, expanded = stack.pop()
            if expanded:
                state[name] = True
                order.append(name)
                continue
            if name in state or name in ("_inputs", LOOSE):
                if state.get(name) is False:
                    raise GraphError(f"the NNI graph has a cycle through node {name!r}")
                continue
            if name not in nodes:
                raise GraphError(f"the NNI graph reads node {name!r}, which it does not have")
            state[name] = False
            stack.append((name, True))
            stack.extend((head, False) for head, _ in reversed(arguments.get(name, ())))
    return order


def read_values(values: Mapping[str, Any], sources: Sequence[tuple[str, int | None]]) -> list[Any]:
    """Return the values that sources (node, output slot or None for all) name."""
    return [values[head] if slot is None else values[head][slot] for head, slot in sources]
