"""Recognise normalisations that a model spells with primitive ops."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.passes.draft import Draft, close, retyped, scalar


def spelled_norms(draft: Draft) -> None:
    """Recognise layernorm, instancenorm and rmsnorm: x, centred or not, divided by its root mean square.

    A scale and a shift by constants that follow belong to the norm.
    """
    for root in draft.of("sqrt", "rsqrt"):
        found = _centred_and_axes(draft, root)
        quotient = _quotient(draft, root)
        if found is None or quotient is None:
            continue
        centred, axes = found
        if centred not in quotient.inputs:
            continue
        rank = len(quotient.shape)
        source, centring = _uncentred(draft, centred, axes)
        last = _affine_end(draft, quotient)
        if axes == tuple(range(axes[0], rank)):
            draft.put(retyped(last, "layernorm" if centring else "rmsnorm", (source,), {"axis": axes[0]}))
        elif centring and rank == 4 and axes == (1, 2):
            draft.put(retyped(last, "instancenorm", (source,)))


def moment_norms(draft: Draft) -> None:
    """Recognise ``x * m + (shift - mean * m)`` with m = scale / deviation, as Keras spells a layernorm."""
    for root in draft.of("rsqrt"):
        found = _centred_and_axes(draft, root)
        if found is None:
            continue
        source, centring = _uncentred(draft, found[0], found[1])
        factor = draft.only_reader(root.name)
        if factor is None or factor.op != "mul" or "const_shape" not in factor.attrs:
            factor = root
        products = draft.readers(factor.name)
        direct = [node for node in products if node.op == "mul" and source in node.inputs]
        other = [node for node in products if node not in direct]
        if not centring or len(direct) != 1 or len(other) != 1 or other[0].op != "mul":
            continue
        last = draft.only_reader(direct[0].name)
        shift: Node | None = other[0]
        if shift is not None and "const_shape" in getattr(draft.only_reader(shift.name), "attrs", {}):
            shift = draft.only_reader(shift.name)
        axes, rank = found[1], len(direct[0].shape)
        if last is None or shift is None or last.op not in ("add", "sub") or shift.name not in last.inputs:
            continue
        if axes == tuple(range(axes[0], rank)) and last.shape == draft.shape(source):
            draft.put(retyped(last, "layernorm", (source,), {"axis": axes[0]}))


def _centred_and_axes(draft: Draft, root: Node) -> tuple[str, tuple[int, ...]] | None:
    """For ``root(mean(d ** 2) + eps)`` return d and the axes of the mean."""
    node = draft.producer(root.inputs[0])
    if node.op == "add" and scalar(node) is not None:
        node = draft.producer(node.inputs[0])
    if node.op != "reduce_mean":
        return None
    axes = tuple(sorted(axis % len(draft.shape(node.inputs[0])) for axis in node.attrs.get("axes", ())))
    square = draft.producer(node.inputs[0])
    is_square = (
        square.op == "square"
        or (square.op == "pow" and close(scalar(square), 2))
        or (square.op == "mul" and len(square.inputs) == 2 and square.inputs[0] == square.inputs[1])
    )
    return (square.inputs[0], axes) if is_square and axes else None


def _quotient(draft: Draft, root: Node) -> Node | None:
    """Return the node that divides by `root` (or multiplies with its reciprocal)."""
    reader = draft.only_reader(root.name)
    inverse = root.op == "rsqrt"
    tensor = root.name
    if reader is not None and not inverse and _is_reciprocal(reader):
        inverse, tensor = True, reader.name
        reader = draft.only_reader(reader.name)
    if reader is None or len(reader.inputs) != 2:
        return None
    if (reader.op == "mul") if inverse else (reader.op == "div" and reader.inputs[1] == tensor):
        return reader
    return None


def _is_reciprocal(node: Node) -> bool:
    return node.op == "reciprocal" or (node.op == "div" and bool(node.attrs.get("const_first")))


def _uncentred(draft: Draft, tensor: str, axes: tuple[int, ...]) -> tuple[str, bool]:
    """Return x and True when `tensor` is ``x - mean(x)`` over `axes`, else `tensor` and False."""
    node = draft.producer(tensor)
    if node.op == "sub" and len(node.inputs) == 2:
        mean = draft.producer(node.inputs[1])
        if mean.op == "reduce_mean" and mean.inputs == node.inputs[:1]:
            rank = len(node.shape)
            if tuple(sorted(axis % rank for axis in mean.attrs.get("axes", ()))) == axes:
                return node.inputs[0], True
    return tensor, False


def _affine_end(draft: Draft, node: Node) -> Node:
    """Return the last node of an optional scale and shift by constant tensors behind `node`."""
    for op in ("mul", "add"):
        reader = draft.only_reader(node.name)
        if (
            reader is not None
            and reader.op == op
            and "const_shape" in reader.attrs
            and reader.shape == node.shape
        ):
            node = reader
    return node


def l2_norms(draft: Draft) -> None:
    """Recognise x divided by its own norm, which is kept from zero by a ``clip`` or ``max``."""
    for node in draft.of("div"):
        if len(node.inputs) != 2:
            continue
        chain = [draft.producer(node.inputs[1])]
        for ops in (("expand",), ("clip", "max")):
            if chain[-1].op in ops and len(chain[-1].inputs) == 1:
                chain.append(draft.producer(chain[-1].inputs[0]))
        bounded = len(chain) > 1 and chain[-2].op != "expand"
        if bounded and chain[-1].op == "reduce_sum" and chain[-1].inputs == node.inputs[:1]:
            draft.put(retyped(node, "l2norm", node.inputs[:1]))


def channel_first_group_norms(draft: Draft) -> None:
    """Join a group norm spelled on a channels-first image: reshape to groups, instancenorm, reshape back."""
    for node in draft.of("instancenorm"):
        before, after = draft.producer(node.inputs[0]), draft.only_reader(node.name)
        if before.op != "reshape" or after is None or after.op != "reshape" or len(node.shape) != 3:
            continue
        shape = draft.shape(before.inputs[0])
        if after.shape == shape and node.shape[0] == shape[0] and len(shape) > 2:
            last = _affine_end(draft, after)
            draft.put(retyped(last, "groupnorm", before.inputs, {"groups": node.shape[1]}))
