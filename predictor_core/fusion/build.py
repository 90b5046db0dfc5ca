"""The Nodes of one kernel -> its KernelSpec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Callable

from predictor_core.errors import GraphError
from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.ops import BINARY_OPS, DATA_OPS, DENSE_OPS, POOL_OPS
from predictor_core.kernels.spec import KernelSpec, Pair

_MAP_AXES = frozenset({(1, 2), (2, 1), (-3, -2), (-2, -3)})
_POOLS = {"reduce_mean": "global-avgpool", "reduce_max": "global-maxpool"}


def main_op(node: Node, graph: Graph) -> str:
    """Registry name of a node as the main op of a kernel.

    It settles what the canonical op leaves open: a convolution with groups is ``groupconv``, a
    reduction over the whole map a global pool.
    """
    op = node.op
    if op == "conv":
        return "conv" if node.attrs.get("groups", 1) == 1 else "groupconv"
    if (
        op in _POOLS
        and tuple(node.attrs.get("axes", ())) in _MAP_AXES
        and len(graph.shape(node.inputs[0])) == 4
    ):
        return _POOLS[op]
    return op


def build(op: str, main: Sequence[Node], merged: Sequence[Node], graph: Graph) -> KernelSpec:
    """Spec of a kernel.

    Parameters
    ----------
    op : str
        Registry name of the main op, or of the pattern.
    main : sequence of Node
        The main node, or the nodes of the pattern, in order.
    merged : sequence of Node
        Nodes merged after it, in order.
    graph : Graph
        The graph they are in.
    """
    head, last = main[0], main[-1]
    inputs = graph.input_shapes(head)
    if "const_shape" in head.attrs:
        constant = tuple(head.attrs["const_shape"])
        # The first operand of a product, or the sequence of a recurrent layer, tells its cost.
        first = head.attrs.get("const_first") and head.op in DENSE_OPS
        inputs = (constant, *inputs) if first else (*inputs, constant)
    output = last.outputs[0]
    epilogue: tuple[str, ...] = ()
    pool: tuple[int, ...] = ()
    if merged:
        previous = last.name
        for node in merged:
            if node.op not in DATA_OPS:
                epilogue = (*epilogue, node.op)
            if node.op in POOL_OPS:
                pool = (*node.attrs["kernel"], *node.attrs["strides"])
            for tensor in node.inputs:
                if tensor != previous:
                    inputs = (*inputs, graph.shape(tensor))
            if "const_shape" in node.attrs:
                inputs = (*inputs, tuple(node.attrs["const_shape"]))
            previous = node.name
    if op.startswith("global-"):
        # With or without the two dimensions of size 1, it is the same work.
        output = (output[0], output[-1])
    has_bias = "bias" in head.attrs and head.attrs["bias"] and len(main) == 1
    label = "-".join((op, "bn", *epilogue) if has_bias else (op, *epilogue))
    details = _DETAILS.get(op)
    if details is None:
        return KernelSpec(label, op, inputs, output, epilogue=epilogue, extra=pool)
    try:
        known = details(main, graph)
    except (ArithmeticError, LookupError, StopIteration, TypeError, ValueError) as error:
        raise GraphError(
            f"node {last.name!r} ({op}) lacks what tells the size of its kernel, or has it wrong: "
            f"{type(error).__name__}: {error}"
        ) from error
    spec = KernelSpec(label, op, inputs, output, epilogue=epilogue, **known)
    return spec._replace(extra=pool) if pool else spec


Details = Callable[[Sequence[Node], Graph], Mapping[str, Any]]


def _pair(value: Any) -> Pair:
    return (value[0], value[1])


def _window(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    attrs = main[0].attrs
    return {
        "kernel": _pair(attrs["kernel"]),
        "strides": _pair(attrs.get("strides", (1, 1))),
        "dilations": _pair(attrs.get("dilations", (1, 1))),
        "groups": attrs.get("groups", 1),
    }


def _depthwise(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    return {**_window(main, graph), "groups": graph.shape(main[0].inputs[0])[-1]}


def _conv3d(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    attrs = main[0].attrs
    return {"groups": attrs.get("groups", 1), "extra": tuple(attrs["kernel"])}


def _se(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    middle = next(node.outputs[0][-1] for node in main if node.op in ("conv", "fc"))
    return {"extra": (middle,)}


def _recurrent(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    attrs = main[0].attrs
    projection = (attrs["projection"],) if attrs.get("projection") else ()
    directions = 2 if attrs.get("bidirectional") else 1
    return {"extra": (attrs["hidden"], attrs.get("layers", 1), directions, *projection)}


def _axis(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    node = main[0]
    rank = len(node.outputs[0])
    axis = node.attrs.get("axis", -1) % rank
    return {} if axis == rank - 1 else {"extra": (axis,)}


def _split(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    return {"extra": tuple(prod(shape) for shape in main[0].outputs)}


def _shuffle(main: Sequence[Node], graph: Graph) -> Mapping[str, Any]:
    return {"groups": main[0].attrs.get("groups", 1)}


_DETAILS: dict[str, Details] = {
    "conv": _window,
    "groupconv": _window,
    "convtranspose": _window,
    "maxpool": _window,
    "avgpool": _window,
    "dwconv": _depthwise,
    "conv3d": _conv3d,
    "convtranspose3d": _conv3d,
    "deformconv": _window,
    "se": _se,
    "lstm": _recurrent,
    "gru": _recurrent,
    "rnn": _recurrent,
    "concat": _axis,
    "split": _split,
    "channelshuffle": _shuffle,
}


def broadcasts(node: Node, before: Shape) -> bool:
    """Whether a two-input op, merged after a tensor of shape `before`, would spread it over a larger one."""
    return node.op in BINARY_OPS and node.outputs[0] != before
