"""TensorFlow ops on tensors of any rank: those that move data, and with them those that compute."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from predictor_core.frontends.common.values import Array
from predictor_core.frontends.tensorflow import math_ops
from predictor_core.frontends.tensorflow.call import MAX_PARTS, Call, Handler, Step
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import resolve_reshape


def _concat(call: Call) -> Step:
    first = call.op == "Concat"
    axis_value, parts = (0, call.inputs[1:]) if first else (-1, call.inputs[:-1])
    shapes = [value.shape for value in parts]
    rank = len(shapes[0])
    axis = call.checked_axis(call.ints(axis_value)[0], rank)
    rest = [shape[:axis] + shape[axis + 1 :] for shape in shapes]
    if any(other != rest[0] for other in rest):
        raise call.error(f"can't join {', '.join(str(list(shape)) for shape in shapes)} on axis {axis}")
    out = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
    return Step("concat", tuple(parts), {"axis": axis}, (out,))


def _stack(call: Call) -> Step:
    shape = call.shape()
    axis = call.checked_axis(call.node.integer("axis"), len(shape) + 1)
    out = (*shape[:axis], len(call.inputs), *shape[axis:])
    return Step("stack", tuple(call.inputs), {"axis": axis}, (out,))


def _split(call: Call) -> Step:
    if call.op == "Split":
        value, axis_value = call.value(1), call.ints(0)[0]
        axis = call.checked_axis(axis_value, len(value.shape))
        count = call.node.integer("num_split", 1)
        if not 1 <= count <= MAX_PARTS or value.shape[axis] % count:
            raise call.error(f"can't split {list(value.shape)} on axis {axis} into {count}")
        sizes = (value.shape[axis] // count,) * count
    else:
        value, axis_value = call.value(0), call.ints(2)[0]
        axis = call.checked_axis(axis_value, len(value.shape))
        sizes = call.ints(1)
        if -1 in sizes:
            rest = value.shape[axis] - sum(sizes) - 1
            sizes = tuple([rest if size == -1 else size for size in sizes])
        if sum(sizes) != value.shape[axis]:
            raise call.error(f"can't split {list(value.shape)} on axis {axis} into {list(sizes)}")
    if len(sizes) == 1:
        return Step("identity", (value,), {}, (value.shape,))
    shape = value.shape
    outputs = tuple([(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes])
    return Step("split", (value,), {"axis": axis, "sizes": sizes}, outputs)


def _reshaped(call: Call, out: Shape) -> Step:
    return call.step("reshape", out)


def _reshape(call: Call) -> Step:
    return _reshaped(call, resolve_reshape(call.ints(1), prod(call.shape())))


def _expand_dims(call: Call) -> Step:
    shape = call.shape()
    axis = call.checked_axis(call.ints(1)[0], len(shape) + 1)
    return _reshaped(call, (*shape[:axis], 1, *shape[axis:]))


def _squeeze(call: Call) -> Step:
    shape = call.shape()
    given = call.node.integers("squeeze_dims") or call.node.integers("axis")
    axes = {call.checked_axis(axis, len(shape)) for axis in given} or {
        i for i, dim in enumerate(shape) if dim == 1
    }
    return _reshaped(call, tuple([dim for axis, dim in enumerate(shape) if axis not in axes]))


def _transpose(call: Call) -> Step:
    shape, perm = call.shape(), call.ints(1)
    if sorted(perm) != list(range(len(shape))):
        raise call.error(f"perm {list(perm)} does not fit {list(shape)}")
    return call.step("transpose", tuple([shape[axis] for axis in perm]), perm=perm)


def _pad(call: Call) -> Step:
    shape, given = call.shape(), call.ints(1)
    pads = tuple(zip(given[::2], given[1::2]))
    if len(pads) != len(shape):
        raise call.error(f"{len(pads)} pairs of pads do not fit {list(shape)}")
    attrs: dict[str, object] = {"pads": pads, "mode": "constant"}
    if call.op == "MirrorPad":
        attrs["mode"] = "reflect"
    elif len(call.inputs) > 2 and float(call.array(2)) != 0:
        attrs["value"] = float(call.array(2))
    out = tuple([dim + before + after for dim, (before, after) in zip(shape, pads)])
    return Step("pad", (call.value(),), attrs, (out,))


def cut(call: Call, data: Array, keep_rank: bool = False) -> Array:
    """Return a ``StridedSlice`` of an array; with `keep_rank`, before dimensions are dropped."""
    begin, end, strides = call.ints(1), call.ints(2), call.ints(3)
    node = call.node
    masks = {
        key: node.integer(f"{key}_mask") for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    index: list[object] = []
    for position, (start, stop, step) in enumerate(zip(begin, end, strides)):
        bit = 1 << position
        if masks["ellipsis"] & bit:
            index.append(Ellipsis)
        elif masks["new_axis"] & bit:
            index.append(None)
        elif masks["shrink_axis"] & bit:
            index.append(slice(start, start + 1 or None) if keep_rank else start)
        else:
            index.append(
                slice(None if masks["begin"] & bit else start, None if masks["end"] & bit else stop, step)
            )
    place: Any = tuple(index)
    result: Array = data[place]
    return result


def _zeros_view(shape: Shape) -> Array:
    """Return zeros of a shape as a view of one of them, which takes no memory."""
    return np.broadcast_to(np.int8(0), shape)


def _strided_slice(call: Call) -> Step | list[Step]:
    shape = call.shape()
    out = cut(call, _zeros_view(shape)).shape
    begin, strides = call.ints(1), call.ints(3)
    if prod(out) == prod(shape) and all(step > 0 for step in strides):
        return _reshaped(call, out) if out != shape else call.step("identity", shape)
    rank = len(begin)
    if not call.node.integer("ellipsis_mask") and not call.node.integer("new_axis_mask"):
        kept = cut(call, _zeros_view(shape), keep_rank=True).shape
        changed = [axis for axis, (a, b) in enumerate(zip(shape, kept)) if a != b]
        ignored = call.node.integer("begin_mask")
        starts = tuple(
            [0 if axis >= rank or ignored >> axis & 1 else begin[axis] % shape[axis] for axis in changed]
        )
        steps = tuple([1 if axis >= rank else strides[axis] for axis in changed])
        first = call.step("slice", kept, axes=tuple(changed), starts=starts, steps=steps)
        return first if kept == out else [first, Step("reshape", (0,), {}, (out,))]
    return call.step("slice", out)


def _slice(call: Call) -> Step:
    shape, begin, sizes = call.shape(), call.ints(1), call.ints(2)
    out = tuple([dim - start if size == -1 else size for dim, start, size in zip(shape, begin, sizes)])
    if out == shape:
        return call.step("identity", shape)
    axes = tuple([axis for axis, (a, b) in enumerate(zip(shape, out)) if a != b])
    return call.step(
        "slice", out, axes=axes, starts=tuple([begin[axis] for axis in axes]), steps=(1,) * len(axes)
    )


def _gather(call: Call) -> Step:
    data, indices = call.value(0), call.value(1)
    axis = call.checked_axis(call.ints(2)[0] if len(call.inputs) > 2 else 0, len(data.shape))
    out = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    if data.is_constant and axis == 0:
        return Step("embedding", (indices,), {"table": data.shape}, (out,))
    return Step("gather", (data, indices), {"axis": axis}, (out,))


def _expand(call: Call) -> Step:
    if call.op == "BroadcastTo":
        return call.step("expand", call.ints(1))
    return call.step("expand", tuple([dim * times for dim, times in zip(call.shape(), call.ints(1))]))


HANDLERS: dict[str, Handler] = {
    **math_ops.HANDLERS,
    "BroadcastTo": _expand,
    "Concat": _concat,
    "ConcatV2": _concat,
    "ExpandDims": _expand_dims,
    "Gather": _gather,
    "GatherV2": _gather,
    "MirrorPad": _pad,
    "Pack": _stack,
    "Pad": _pad,
    "PadV2": _pad,
    "Reshape": _reshape,
    "ResourceGather": _gather,
    "Slice": _slice,
    "Split": _split,
    "SplitV": _split,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Tile": _expand,
    "Transpose": _transpose,
}
