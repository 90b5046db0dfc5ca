"""Matching of chain patterns, linear in their length."""

from __future__ import annotations

from predictor_core.fusion.rules import Pattern, Step
from predictor_core.ir.graph import Graph, Node


def match(pattern: Pattern, start: Node, graph: Graph) -> tuple[Node, ...] | None:
    """Nodes of the chain that begins at `start`, or None.

    Every node but the last has one reader, the next node of the chain.
    """
    if not start.inputs or not _fits(pattern.steps[0], start):
        return None
    source = start.inputs[0]
    chain = [start]
    steps = pattern.steps[1:]
    index = 0
    while index < len(steps):
        readers = graph.consumers(chain[-1].name)
        if len(readers) != 1 or graph.is_output(chain[-1].name):
            return None
        node = readers[0]
        step = steps[index]
        others = [tensor for tensor in node.inputs if tensor != chain[-1].name]
        expected = [source] if step.closes else []
        if _fits(step, node) and others == expected:
            chain.append(node)
        elif not step.optional:
            return None
        index += 1
    return tuple(chain)


def _fits(step: Step, node: Node) -> bool:
    if node.op not in step.ops:
        return False
    for name, wanted in step.attrs:
        value = node.attrs.get(name, wanted)
        if (tuple(value) if isinstance(value, list) else value) != wanted:
            return False
    return True
