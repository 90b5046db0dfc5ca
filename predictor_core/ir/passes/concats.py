"""One concat for concats in a row."""

from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("no idle movement",), ensures="joined concats", ops=("concat",))
def joined_concats(graph: MutableGraph) -> None:
    """Put the inputs of a concat in its place where only another concat on the same axis reads it."""
    concats = {node.name for node in graph.of("concat")}
    # The last of a row first, so that each input is moved once.
    for node in reversed(list(graph.of("concat"))):
        if node.name not in graph.nodes or concats.isdisjoint(node.inputs):
            continue
        inputs: list[str] = []
        rest = [(tensor, node) for tensor in reversed(node.inputs)]
        while rest:
            tensor, reader = rest.pop()
            part = graph.producer(tensor)
            own = part.op == "concat" and part.attrs.get("axis") == node.attrs.get("axis")
            if own and graph.only_reader(tensor) is reader:
                rest += [(inner, part) for inner in reversed(part.inputs)]
            else:
                inputs.append(tensor)
        if len(inputs) != len(node.inputs):
            graph.replace(node, inputs=inputs)
