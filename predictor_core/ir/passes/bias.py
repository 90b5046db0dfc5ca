"""Fold per-channel scales and shifts into the conv or fc that they follow."""

from __future__ import annotations

from math import prod

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass

_CHANNELWISE = frozenset({"bn", "biasadd", "add", "sub", "mul", "div"})
_WITH_WEIGHTS = ("conv", "dwconv", "convtranspose", "conv3d", "convtranspose3d", "deformconv", "fc")


@graph_pass(
    requires=(
        "hard activations",
        "smooth activations",
        "gelu",
        "norms",
        "norms of moments",
        "flat products",
        "depthwise convs",
    ),
    ensures="folded biases",
    ops=_WITH_WEIGHTS,
)
def fold_bias(graph: MutableGraph) -> None:
    """Fold bn, biasadd and per-channel constants after a conv or fc into its weights and ``bias=True``.

    Holds when nothing else reads the conv. The conv keeps its name.
    """
    chains: dict[str, list[str]] = {}
    for node in graph.of(*_WITH_WEIGHTS):
        last, attrs, outputs = node[0], node[3], node[4]
        stated = attrs.get("bias")
        bias = bool(stated)
        chain: list[str] = []
        while True:
            reader = graph.only_reader(last)
            # A constant of more dimensions gives the result its own.
            if reader is None or reader[1] not in _CHANNELWISE or reader[4] != outputs:
                break
            if not is_channelwise(reader, outputs[0][-1]):
                break
            bias = bias or reader[1] not in ("mul", "div")
            last = reader[0]
            chain.append(last)
        if bias is not stated:
            graph.set_attrs(node, {**attrs, "bias": bias})
        if chain:
            chains[node[0]] = chain
    graph.absorb(chains)


@graph_pass(requires=("folded biases",), ensures="affine norms", ops=("mul",))
def join_affine(graph: MutableGraph) -> None:
    """Turn a per-channel product followed by a per-channel sum, on an image, into ``bn``.

    A difference before them, that to the mean, is part of it.
    """
    for node in graph.of("mul"):
        if len(node.shape) == 4 and "const_shape" in node.attrs and is_channelwise(node, node.shape[-1]):
            reader = graph.only_reader(node.name)
            if (
                reader is not None
                and reader.op in ("add", "biasadd")
                and reader.shape == node.shape == graph.shape(node.inputs[0])
                and is_channelwise(reader, node.shape[-1])
            ):
                centred = graph.producer(node.inputs[0])
                is_part = (
                    centred.op == "sub"
                    and is_channelwise(centred, node.shape[-1])
                    and centred.shape == node.shape
                    and graph.only_reader(centred.name) is node
                )
                graph.replace(reader, "bn", centred.inputs if is_part else node.inputs)


def is_channelwise(node: Node, channels: int) -> bool:
    """Whether a node scales or shifts each channel by constants of its own."""
    if len(node.inputs) != 1:
        return False
    if node.op in ("bn", "biasadd"):
        return True
    if node.op not in _CHANNELWISE or node.attrs.get("const_first"):
        return False
    shape = node.attrs.get("const_shape", (1,) if "const" in node.attrs else ())
    if "const_shape" in node.attrs and prod(shape) == 1:
        # A scalar whose number is not known, such as the scale of an integer product.
        return True
    return bool(shape) and shape[-1] == channels and prod(shape) == channels
