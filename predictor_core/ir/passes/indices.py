"""Recognise indices that a model lets count from the end."""

from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("no free ops",), ensures="plain indices", ops=("where",))
def wrapped_indices(graph: MutableGraph) -> None:
    """Drop ``where(i < 0, i + size, i)``: a look-up pays nothing for it, and most formats do not write it."""
    found: dict[str, str] = {}
    for node in graph.of("where"):
        if len(node.inputs) != 3:
            continue
        condition, wrapped, plain = node.inputs
        test, sum_ = graph.producer(condition), graph.producer(wrapped)
        if test.op == "Less" and test.inputs == (plain,) and sum_.op == "add" and sum_.inputs == (plain,):
            found[node.name] = plain
    graph.bypass(found)
