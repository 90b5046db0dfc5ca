"""Undo the reshapes around products with constant weights: an ``fc`` takes any rank."""

from __future__ import annotations

from math import prod

from predictor_core.ir.graph import Node
from predictor_core.ir.passes.draft import Draft


def flat_products(draft: Draft) -> None:
    """Join ``reshape, fc, reshape`` where the reshapes only flatten leading dimensions and restore them.

    A constant that is added after the features are split into heads becomes the bias of the fc.
    """
    for node in draft.of("fc"):
        before, after = draft.producer(node.inputs[0]), draft.only_reader(node.name)
        if before.op == "reshape" and after is not None and after.op == "reshape":
            shape = draft.shape(before.inputs[0])
            out = (*shape[:-1], node.shape[-1])
            if (
                len(node.shape) == 2
                and shape[-1] == before.shape[-1]
                and after.shape[: len(out) - 1] == out[:-1]
            ):
                node = Node(node.name, "fc", before.inputs, node.attrs, (out,), node.scope)
                draft.put(node)
                if after.shape == out:
                    draft.bypass(after, node.name)
        _bias_of_heads(draft, node)


def _bias_of_heads(draft: Draft, node: Node) -> None:
    reshape = draft.only_reader(node.name)
    if reshape is None or reshape.op != "reshape":
        return
    heads = reshape.shape[len(node.shape) - 1 :]
    shift = draft.only_reader(reshape.name)
    if reshape.shape[: len(node.shape) - 1] != node.shape[:-1] or shift is None or shift.op != "add":
        return
    shape = tuple(shift.attrs.get("const_shape", ()))
    if prod(shape) == prod(heads) and shape[len(shape) - len(heads) :] == heads:
        attrs = {**node.attrs, "bias": True}
        draft.put(Node(node.name, "fc", node.inputs, attrs, node.outputs, node.scope))
        draft.bypass(shift, reshape.name)
