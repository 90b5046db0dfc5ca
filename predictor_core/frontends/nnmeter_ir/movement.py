"""Converters for arithmetic, reductions, and ops that move data."""

from __future__ import annotations

from math import prod
from typing import Any

from predictor_core.errors import GraphError
from predictor_core.frontends.nnmeter_ir.generic import NO_ATTRS, attributes
from predictor_core.frontends.nnmeter_ir.source import Converted, Source, checked_axis, flat_ints
from predictor_core.ir import ops, shapes
from predictor_core.ir.graph import Shape

#: Most outputs of one node.
MAX_PARTS = 4096


def binary(op: str, source: Source) -> Converted:
    """Convert an elementwise op with two or more operands."""
    inputs = source.inputs
    if len(inputs) >= 2:
        out = inputs[0]
        for other in inputs[1:]:
            if other != out:
                out = shapes.broadcast(out, other)
        return op, NO_ATTRS, (out,)
    shape = inputs[0]
    attrs = source.attrs
    # Documents of ONNX models lose constants; one that is added is a bias more often than not.
    const_shape: Shape = tuple(attrs.get("const_shape", shape[-1:] if op == "add" else ()))
    value = attrs.get("const")
    if source.constants:
        const_shape, value = source.constants[0]
    converted: dict[str, Any] = {}
    if isinstance(value, (int, float)):
        converted["const"] = float(value)
    else:
        converted["const_shape"] = const_shape
        shape = shapes.broadcast(shape, const_shape)
    if source.constant_first and op in ("sub", "div", "pow"):
        converted["const_first"] = True
    return op, converted, (shape,)


def reduce(op: str, source: Source) -> Converted:
    """Convert a reduction over some axes."""
    shape = source.inputs[0]
    rank = len(shape)
    axes = source.first("reduction_indices", "axes", "axis", "dim")
    if axes is None and source.constants:
        axes = source.constants[0][1]
    if axes is None:
        # Documents of ONNX models lose axes that are inputs; what such models reduce is the image.
        axes = ((2, 3) if source.channels_first else (1, 2)) if rank == 4 else range(rank)
    positions = tuple(sorted(checked_axis(axis, rank) for axis in flat_ints(axes)))
    keepdims = source.first("keepdims", "keep_dims")
    if keepdims is None:
        keepdims = len(source.stated[0]) == rank if source.stated else source.type.startswith("Reduce")
    out = shapes.reduced(shape, positions, keepdims)
    return op, {"axes": positions, "keepdims": bool(keepdims)}, (out,)


def sum_(op: str, source: Source) -> Converted:
    """TensorFlow's Sum reduces, ONNX's adds its inputs."""
    if source.first("reduction_indices", "keep_dims") is not None or source.constants:
        return reduce("reduce_sum", source)
    return binary(op, source)


def concat(op: str, source: Source) -> Converted:
    """Convert a concatenation."""
    inputs = source.inputs
    rank = len(inputs[0])
    axis = source.first("axis", "dim", "concat_dim")
    if axis is None and source.constants:
        axis = source.constants[-1][1]
    if axis is None:
        axis = 1 if source.channels_first else rank - 1
    place = checked_axis(flat_ints(axis)[0], rank)
    converted = {"axis": place}
    out = ops.infer(op, converted, inputs)
    assert out is not None
    for stated in source.stated[:1]:
        # A constant that is joined is no input; the stated size tells it.
        if len(stated) == rank and stated[place] > out[0][place]:
            joined = (*out[0][:place], stated[place], *out[0][place + 1 :])
            out = (joined,) if joined == tuple(stated) else out
    return op, converted, out


def split(op: str, source: Source) -> Converted:
    """Convert a split along one axis."""
    shape = source.inputs[0]
    rank = len(shape)
    axis = source.first("split_dim", "axis", "dim")
    if axis is None and source.constants:
        axis = source.constants[0][1]
    if axis is None:
        axis = 0 if source.channels_first else rank - 1
    position = checked_axis(flat_ints(axis)[0], rank)
    sizes = source.first("sizes", "split", "size_splits")
    if sizes is None:
        sizes = [out[position] for out in source.stated_shapes()] if source.stated else []
        if not sizes or sum(sizes) != shape[position]:
            count = source.first("num_split", "num_outputs") or len(source.stated_shapes())
            if not 1 <= count <= MAX_PARTS or shape[position] % count:
                raise GraphError(f"can't split axis {position} of {list(shape)} into {count}")
            sizes = [shape[position] // count] * count
    converted = {"axis": position, "sizes": tuple(sizes)}
    out = ops.infer(op, converted, source.inputs)
    assert out is not None
    return op, converted, out


def slice_(op: str, source: Source) -> Converted:
    """Convert a slice, or the slices of one tensor merged into one node."""
    stated = source.stated_shapes()
    if len(stated) > 1:
        # Slices of one tensor, merged into one node with several outputs.
        shape = source.inputs[0]
        for axis in range(len(shape)):
            sizes = tuple(out[axis] for out in stated)
            if sum(sizes) == shape[axis]:
                return "split", {"axis": axis, "sizes": sizes}, stated
    return op, attributes(source), stated


def reshape(op: str, source: Source) -> Converted:
    """Convert any op that only changes the shape."""
    elements = prod(source.inputs[0])
    candidates: list[Any] = []
    target = source.attrs.get("shape")
    if target is None and source.constants:
        target = source.constants[-1][1]
    if isinstance(target, (list, tuple)):
        candidates.append(target)
        if len(target) and target[0] != -1:
            candidates.append((-1, *target[1:]))
    if source.stated:
        stated = source.stated_shapes()[0]
        candidates += [stated, (-1, *stated[1:])]
    for candidate in candidates:
        try:
            return op, NO_ATTRS, (shapes.resolve_reshape(candidate, elements),)
        except (GraphError, TypeError):
            continue
    if source.type == "Flatten":
        return op, NO_ATTRS, ((source.inputs[0][0], elements // source.inputs[0][0]),)
    raise GraphError(f"can't reshape {list(source.inputs[0])} to {target or source.stated}")


def transpose(op: str, source: Source) -> Converted:
    """Convert a permutation of the dimensions."""
    shape = source.inputs[0]
    perm = source.attrs.get("perm")
    if perm is None and source.constants:
        perm = source.constants[0][1]
    if perm is None:
        perm = range(len(shape))[::-1]
    perm = tuple(perm)
    if sorted(perm) != list(range(len(shape))):
        raise GraphError(f"perm {list(perm)} does not permute the dimensions of {list(shape)}")
    return op, {"perm": perm}, (tuple([shape[axis] for axis in perm]),)


def pad(op: str, source: Source) -> Converted:
    """Convert explicit padding."""
    shape = source.inputs[0]
    rank = len(shape)
    pads: Any = source.first("paddings", "pads")
    if pads is None and source.constants:
        pads = source.constants[0][1]
    if pads is None:
        stated = source.stated_shapes()[0]
        amounts = [(total - total // 2, total // 2) for total in (b - a for a, b in zip(shape, stated))]
        pairs = [(after, before) for before, after in amounts]
    elif isinstance(pads[0], (list, tuple)):
        pairs = [(before, after) for before, after in pads]
    elif source.attrs.get("pads") is not None:
        pairs = list(zip(pads[:rank], pads[rank:]))
    else:
        pairs = list(zip(pads[::2], pads[1::2]))
    if len(pairs) != rank:
        raise GraphError(f"{len(pairs)} pairs of pads for a tensor of rank {rank}")
    converted: dict[str, Any] = {"pads": tuple((int(before), int(after)) for before, after in pairs)}
    converted["mode"] = source.first("mode") or ("reflect" if source.type == "MirrorPad" else "constant")
    if source.first("value"):
        converted["value"] = source.first("value")
    out = ops.infer(op, converted, source.inputs)
    assert out is not None
    return op, converted, out


def axis_op(op: str, source: Source) -> Converted:
    """Convert a normalisation along one axis."""
    attrs = dict(attributes(source))
    axis = attrs.pop("softmax_dim", attrs.pop("dim", attrs.pop("axis", -1)))
    attrs["axis"] = checked_axis(axis, len(source.inputs[0]))
    return op, attrs, source.inputs[:1]


def clip(op: str, source: Source) -> Converted:
    """Convert a clamp between two bounds."""
    low, high = source.first("min"), source.first("max")
    if low is None and high is None:
        # Documents of ONNX models lose bounds that are inputs; in practice they are those of relu6.
        return "relu6", NO_ATTRS, source.inputs[:1]
    return op, {"min": low, "max": high}, source.inputs[:1]
