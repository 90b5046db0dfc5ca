"""One concat for concats in a row."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.passes.draft import Draft


def joined_concats(draft: Draft) -> None:
    """Put the inputs of a concat in its place where only another concat on the same axis reads it."""
    concats = {node.name for node in draft.of("concat")}
    for node in draft.of("concat"):
        if concats.isdisjoint(node.inputs):
            continue
        inputs: list[str] = []
        for tensor in node.inputs:
            part = draft.producer(tensor)
            own = part.op == "concat" and part.attrs.get("axis") == node.attrs.get("axis")
            inputs.extend(part.inputs if own and draft.only_reader(tensor) is node else (tensor,))
        if len(inputs) != len(node.inputs):
            draft.put(Node(node.name, "concat", tuple(inputs), node.attrs, node.outputs, node.scope))
