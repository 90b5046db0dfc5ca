"""Segments of a Graph between its cut vertices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from predictor_core.ir.graph import Graph


def segments(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Find what may overlap with each node.

    A cut vertex is a node that every path through the Graph leads through. Two nodes can run at once only
    when no cut vertex stands between them.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    dict of str to tuple of str
        Name of a node -> names of the nodes of its segment: from the last cut vertex before it to the first
        one from it on.
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
            segment = tuple(names[start : i + 1])
            for j in range(after, i + 1):
                found[names[j]] = segment
            start, after = i, i + 1
        furthest = max(furthest, read_until[i])
    return found


def overlapping(
    nodes: Sequence[str], owners: Mapping[str, Sequence[str]], segment: Mapping[str, Sequence[str]]
) -> set[str]:
    """Return the nodes that may decide what a kernel overlaps with.

    Parameters
    ----------
    nodes : sequence of str
        Nodes of the kernel.
    owners : mapping
        Node -> all nodes of its kernel.
    segment : mapping
        See `segments`.
    """
    found = {name for node in nodes for name in segment[node]}
    return found.union(*(owners.get(node, ()) for node in found))
