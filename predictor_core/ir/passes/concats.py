"""One concat for concats in a row."""

from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("no idle movement",), ensures="joined concats")
def joined_concats(graph: MutableGraph) -> None:
    """Put the inputs of a concat in its place where only another concat on the same axis reads it."""
    concats = {node.name for node in graph.of("concat")}
    for node in graph.of("concat"):
        if concats.isdisjoint(node.inputs):
            continue
        inputs: list[str] = []
        for tensor in node.inputs:
            part = graph.producer(tensor)
            own = part.op == "concat" and part.attrs.get("axis") == node.attrs.get("axis")
            inputs.extend(part.inputs if own and graph.only_reader(tensor) is node else (tensor,))
        if len(inputs) != len(node.inputs):
            graph.replace(node, inputs=tuple(inputs))
