"""Recognise normalisations that a model writes with primitive ops."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.constants import close, scalar
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("no idle movement",), ensures="norms", ops=("sqrt", "rsqrt"))
def root_norms(graph: MutableGraph) -> None:
    """Recognise layernorm, instancenorm and rmsnorm: x, centred or not, divided by its root mean square.

    A scale and a shift by constants that follow belong to the norm.
    """
    for root in graph.of("sqrt", "rsqrt"):
        found = _centred_and_axes(graph, root)
        quotient = _quotient(graph, root)
        if found is None or quotient is None:
            continue
        centred, axes = found
        if centred not in quotient.inputs:
            continue
        rank = len(quotient.shape)
        source, centring = _uncentred(graph, centred, axes)
        last = _affine_end(graph, quotient)
        if axes == tuple(range(axes[0], rank)):
            graph.replace(last, "layernorm" if centring else "rmsnorm", (source,), {"axis": axes[0]})
        elif centring and rank == 4 and axes == (1, 2):
            graph.replace(last, "instancenorm", (source,))


@graph_pass(requires=("norms",), ensures="norms of moments", ops=("rsqrt",))
def moment_norms(graph: MutableGraph) -> None:
    """Recognise ``x * m + (shift - mean * m)`` with m = scale / deviation, as Keras writes a layernorm.

    So does LiteRT's converter for torch, with reshapes of mean and deviation, and without scale and shift.
    """
    for root in graph.of("rsqrt"):
        found = _centred_and_axes(graph, root)
        if found is None:
            continue
        source, centring = _uncentred(graph, found[0], found[1])
        factor = graph.only_reader(root.name)
        if factor is None or factor.op != "mul" or "const_shape" not in factor.attrs:
            factor = root
        products = _readers(graph, factor.name)
        direct = [node for node in products if node.op == "mul" and source in node.inputs]
        other = [node for node in products if node not in direct]
        if not centring or len(direct) != 1 or len(other) != 1 or other[0].op != "mul":
            continue
        last = graph.only_reader(direct[0].name)
        shift: Node | None = other[0]
        for is_part in (_is_negated, _is_reshape):
            reader = None if shift is None else graph.only_reader(shift.name)
            shift = reader if reader is not None and is_part(reader) else shift
        axes, rank = found[1], len(direct[0].shape)
        if last is None or shift is None or last.op not in ("add", "sub") or shift.name not in last.inputs:
            continue
        if axes == tuple(range(axes[0], rank)) and last.shape == graph.shape(source):
            end = _affine_end(graph, last) if factor is root else last
            graph.replace(end, "layernorm", (source,), {"axis": axes[0]})


def _is_reshape(node: Node) -> bool:
    return node.op == "reshape"


def _is_negated(node: Node) -> bool:
    """Whether a node is a constant less its input, or a constant more."""
    return node.op == "neg" or "const_shape" in node.attrs or "const" in node.attrs


def _readers(graph: MutableGraph, tensor: str) -> list[Node]:
    """Return what reads a tensor, or a reshape of it."""
    return [
        reader
        for node in graph.readers(tensor)
        for reader in (graph.readers(node.name) if node.op == "reshape" else [node])
    ]


def _centred_and_axes(graph: MutableGraph, root: Node) -> tuple[str, tuple[int, ...]] | None:
    """For ``root(mean(d ** 2) + eps)`` return d and the axes of the mean."""
    node = graph.producer(root.inputs[0])
    if node.op == "add" and scalar(node) is not None:
        node = graph.producer(node.inputs[0])
    if node.op != "reduce_mean":
        return None
    axes = _reduced(graph, node)
    square = graph.producer(node.inputs[0])
    is_square = (
        square.op == "square"
        or (square.op == "pow" and close(scalar(square), 2))
        or (square.op == "mul" and len(square.inputs) == 2 and square.inputs[0] == square.inputs[1])
    )
    return (square.inputs[0], axes) if is_square and axes else None


def _reduced(graph: MutableGraph, node: Node) -> tuple[int, ...]:
    """Return the axes of a reduction, without that of a batch of one beside others."""
    shape = graph.shape(node.inputs[0])
    axes = tuple(sorted(axis % len(shape) for axis in node.attrs.get("axes", ())))
    return axes[1:] if len(axes) > 1 and axes[0] == 0 and shape[0] == 1 else axes


def _quotient(graph: MutableGraph, root: Node) -> Node | None:
    """Return the node that divides by `root` (or multiplies with its reciprocal)."""
    reader = graph.only_reader(root.name)
    inverse = root.op == "rsqrt"
    tensor = root.name
    if reader is not None and not inverse and _is_reciprocal(reader):
        inverse, tensor = True, reader.name
        reader = graph.only_reader(reader.name)
    if reader is None or len(reader.inputs) != 2:
        return None
    if (reader.op == "mul") if inverse else (reader.op == "div" and reader.inputs[1] == tensor):
        return reader
    return None


def _is_reciprocal(node: Node) -> bool:
    return node.op == "reciprocal" or (node.op == "div" and bool(node.attrs.get("const_first")))


def _uncentred(graph: MutableGraph, tensor: str, axes: tuple[int, ...]) -> tuple[str, bool]:
    """Return x and True when `tensor` is ``x - mean(x)`` over `axes`, else `tensor` and False."""
    node = graph.producer(tensor)
    if node.op == "sub" and len(node.inputs) == 2:
        mean = graph.producer(node.inputs[1])
        if mean.op == "reshape":
            mean = graph.producer(mean.inputs[0])
        if mean.op == "reduce_mean" and mean.inputs == node.inputs[:1] and _reduced(graph, mean) == axes:
            return node.inputs[0], True
    return tensor, False


def _affine_end(graph: MutableGraph, node: Node) -> Node:
    """Return the last node of an optional scale and shift by constant tensors behind `node`."""
    for op in ("mul", "add"):
        reader = graph.only_reader(node.name)
        if (
            reader is not None
            and reader.op == op
            and "const_shape" in reader.attrs
            and reader.shape == node.shape
        ):
            node = reader
    return node


@graph_pass(requires=("no idle movement",), ensures="l2 norms", ops=("div",))
def l2_norms(graph: MutableGraph) -> None:
    """Recognise x divided by its own norm, which is kept from zero by a ``clip`` or ``max``."""
    for node in graph.of("div"):
        if len(node.inputs) != 2:
            continue
        path = [graph.producer(node.inputs[1])]
        for ops in (("expand",), ("clip", "max")):
            if path[-1].op in ops and len(path[-1].inputs) == 1:
                path.append(graph.producer(path[-1].inputs[0]))
        bounded = len(path) > 1 and path[-2].op != "expand"
        if bounded and path[-1].op == "reduce_sum" and path[-1].inputs == node.inputs[:1]:
            graph.replace(node, "l2norm", node.inputs[:1])


@graph_pass(ensures="group norms, channels first", ops=("instancenorm",))
def channel_first_group_norms(graph: MutableGraph) -> None:
    """Join a group norm written on a channels-first image: reshape to groups, instancenorm, reshape back."""
    for node in graph.of("instancenorm"):
        before, after = graph.producer(node.inputs[0]), graph.only_reader(node.name)
        if before.op != "reshape" or after is None or after.op != "reshape" or len(node.shape) != 3:
            continue
        shape = graph.shape(before.inputs[0])
        if after.shape == shape and node.shape[0] == shape[0] and len(shape) > 2:
            last = _affine_end(graph, after)
            graph.replace(last, "groupnorm", before.inputs, {"groups": node.shape[1]})
