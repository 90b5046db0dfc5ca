"""Undo the reshapes around products with constant weights: an ``fc`` takes any rank."""

from __future__ import annotations

from math import prod

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.bias import is_channelwise
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("no idle movement",), ensures="flat products", ops=("fc",))
def flat_products(graph: MutableGraph) -> None:
    """Join ``reshape, fc, reshape`` where the reshapes only flatten leading dimensions and restore them.

    Scales and shifts of the features may stand between them. A constant that is added after the features are
    split into heads becomes the bias of the fc.
    """
    idle: dict[str, str] = {}
    for node in graph.of("fc"):
        before = graph.producer(node.inputs[0])
        if before.op != "reshape" or len(node.shape) != 2:
            continue
        rows, after = [node], graph.only_reader(node.name)
        while after is not None and after.shape == node.shape and is_channelwise(after, node.shape[-1]):
            rows.append(after)
            after = graph.only_reader(after.name)
        if after is None or after.op != "reshape":
            continue
        shape = graph.shape(before.inputs[0])
        out = (*shape[:-1], node.shape[-1])
        if shape[-1] == before.shape[-1] and after.shape[: len(out) - 1] == out[:-1]:
            graph.replace(node, inputs=before.inputs, outputs=(out,))
            for row in rows[1:]:
                graph.replace(row, outputs=(out,))
            if after.shape == out:
                idle[after.name] = rows[-1].name
    graph.bypass(idle)
    shifts: dict[str, str] = {}
    for node in graph.of("fc"):
        _bias_of_heads(graph, node, shifts)
    graph.bypass(shifts)


def _bias_of_heads(graph: MutableGraph, node: Node, shifts: dict[str, str]) -> None:
    reshape = graph.only_reader(node.name)
    if reshape is None or reshape.op != "reshape":
        return
    heads = reshape.shape[len(node.shape) - 1 :]
    shift = graph.only_reader(reshape.name)
    if reshape.shape[: len(node.shape) - 1] != node.shape[:-1] or shift is None or shift.op != "add":
        return
    shape = tuple(shift.attrs.get("const_shape", ()))
    if prod(shape) == prod(heads) and shape[len(shape) - len(heads) :] == heads:
        attrs = {**node.attrs, "bias": True}
        graph.replace(node, attrs=attrs)
        shifts[shift.name] = reshape.name
