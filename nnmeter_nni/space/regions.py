"""Stretches of a Graph between nodes that everything passes through."""

from __future__ import annotations

from predictor_core.ir.graph import Graph


def regions(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Find what may run beside each node.

    A node that no edge leads past comes after all before it and before all after it. Two nodes can run at
    once only when no such node stands between them.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict of str to tuple of str
        Name of a node -> names of the nodes from the last one before it that everything passes through to
        the first one from it on.
    """
    names = [node.name for node in graph.nodes]
    position = {name: i for i, name in enumerate(names)}
    # What nothing reads stays open to the end; what reads nothing, from the start.
    read_until = [
        max((position[node.name] for node in graph.consumers(name)), default=len(names) - 1) for name in names
    ]
    furthest = max((i for i, node in enumerate(graph.nodes) if not node.inputs), default=0)
    found: dict[str, tuple[str, ...]] = {}
    start = after = 0
    for i in range(len(names)):
        if furthest <= i or i == len(names) - 1:
            stretch = tuple(names[start : i + 1])
            for j in range(after, i + 1):
                found[names[j]] = stretch
            start, after = i, i + 1
        furthest = max(furthest, read_until[i])
    return found
