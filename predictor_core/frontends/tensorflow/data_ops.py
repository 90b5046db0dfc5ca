"""TensorFlow ops on tensors of any rank: arithmetic, products, reductions, and moving data."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.common.values import Array, Value
from predictor_core.frontends.tensorflow.call import MAX_PARTS, Call, Handler, Step
from predictor_core.ir.einsum import explicit, plan
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import broadcast, reduced, resolve_reshape

#: Numbers that change nothing.
_NEUTRAL = {"add": 0.0, "mul": 1.0, "div": 1.0}


def _unary(op: str) -> Handler:
    return lambda call: call.step(op, call.shape())


def _binary(op: str) -> Handler:
    def handler(call: Call) -> Step:
        out = call.shape()
        for value in call.inputs[1:]:
            out = broadcast(out, value.shape)
        constant = next((value for value in call.inputs if value.is_constant), None)
        if constant is None or len(call.inputs) != 2 or all(value.is_constant for value in call.inputs):
            return Step(op, tuple(call.inputs), {}, (out,))
        attrs: dict[str, object] = {}
        if constant.array is not None and constant.array.size == 1 and len(constant.shape) <= len(out):
            number = float(constant.array.reshape(()))
            if number == _NEUTRAL.get(op) and (op != "div" or constant is call.inputs[1]):
                kept = next(value for value in call.inputs if value is not constant)
                return Step("identity", (kept,), {}, (out,))
            attrs["const"] = number
        else:
            attrs["const_shape"] = constant.shape
        if constant is call.inputs[0] and op in ("sub", "div", "pow"):
            attrs["const_first"] = True
        return Step(op, tuple(call.inputs), attrs, (out,))

    return handler


def _sum_of_all(call: Call) -> list[Step]:
    out = call.shape()
    steps = [Step("add", call.inputs[:2], {}, (out,))]
    return steps + [Step("add", (place, value), {}, (out,)) for place, value in enumerate(call.inputs[2:])]


def _squared_difference(call: Call) -> list[Step]:
    difference = _binary("sub")(call)
    assert isinstance(difference, Step)
    return [difference, Step("square", (0,), {}, difference.outputs)]


def _select(call: Call) -> Step:
    out: Shape = ()
    for value in call.inputs:
        out = broadcast(out, value.shape)
    return Step("where", tuple(call.inputs), {}, (out,))


def _turned(shape: Shape) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


def _matmul(call: Call) -> Step | list[Step]:
    a, b = call.value(0), call.value(1)
    if len(a.shape) < 2 or len(b.shape) < 2:
        raise call.error(f"takes matrices, got {list(a.shape)} and {list(b.shape)}")
    node = call.node
    if node.boolean("transpose_b") or node.boolean("adj_y"):
        turn_b, b_shape = True, _turned(b.shape)
    else:
        turn_b, b_shape = False, b.shape
    turn_a = node.boolean("transpose_a") or node.boolean("adj_x")
    a_shape = _turned(a.shape) if turn_a else a.shape
    if a_shape[-1] != b_shape[-2]:
        raise call.error(f"can't multiply {list(a_shape)} by {list(b_shape)}")
    out = (*broadcast(a_shape[:-2], b_shape[:-2]), a_shape[-2], b_shape[-1])
    steps: list[Step] = []
    reads: list[Value | int] = []
    for value, turn, shape in ((a, turn_a, a_shape), (b, turn_b, b_shape)):
        if turn and not value.is_constant:
            rank = len(shape)
            perm = (*range(rank - 2), rank - 1, rank - 2)
            reads.append(len(steps))
            steps.append(Step("transpose", (value,), {"perm": perm}, (shape,)))
        else:
            reads.append(value._replace(shape=shape))
    return [*steps, _product(reads[0], reads[1], out)]


def _product(a: Value | int, b: Value | int, out: Shape) -> Step:
    """Return the product of two operands: an ``fc`` where the second is a constant matrix."""
    constant_a = isinstance(a, Value) and a.is_constant
    if isinstance(b, Value) and b.is_constant and not constant_a and prod(b.shape[:-2]) == 1:
        return Step("fc", (a,), {"bias": False}, (out,))
    attrs: dict[str, object] = {}
    for value in (a, b):
        if isinstance(value, Value) and value.is_constant:
            attrs["const_shape"] = value.shape
    if constant_a:
        attrs["const_first"] = True
    return Step("matmul", (a, b), attrs, (out,))


def _einsum(call: Call) -> list[Step]:
    equation = call.node.string("equation")
    shapes = [value.shape for value in call.inputs]
    planned = plan(explicit(equation, shapes)[0], shapes)
    if planned is None:
        raise UnsupportedOpError(f"the equation {equation!r} is no product of two tensors")
    steps: list[Step] = []
    operands: list[Value | int] = list(call.inputs)
    for step in planned:
        reads = [operands[place] for place in step.reads]
        if any(isinstance(read, int) or not read.is_constant for read in reads):
            made = Step(step.op, reads, step.attrs, (step.output,))
            steps.append(_product(reads[0], reads[1], step.output) if step.op == "matmul" else made)
            operands.append(len(steps) - 1)
        else:
            operands.append(Value(step.output))
    return steps or [Step("matmul", call.inputs, {}, (planned[-1].output,))]


def _reduce(op: str) -> Handler:
    def handler(call: Call) -> Step:
        shape = call.shape()
        axes = tuple(sorted({call.checked_axis(axis, len(shape)) for axis in call.ints(1)}))
        keepdims = call.node.boolean("keep_dims")
        if not axes:
            return call.step("identity", shape)
        return call.step(op, reduced(shape, axes, keepdims), axes=axes, keepdims=keepdims)

    return handler


def _argmax(call: Call) -> Step:
    shape = call.shape()
    axis = call.checked_axis(call.ints(1)[0], len(shape))
    return call.step("argmax", reduced(shape, (axis,), False), axis=axis)


def _topk(call: Call) -> Step:
    shape = call.shape()
    (count,) = call.ints(1)
    return Step("topk", (call.value(),), {"axis": len(shape) - 1}, ((*shape[:-1], count),) * 2)


def _softmax(op: str) -> Handler:
    return lambda call: call.step(op, call.shape(), axis=len(call.shape()) - 1)


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


def cut(node_call: Call, data: Array) -> Array:
    """Return a ``StridedSlice`` of an array."""
    begin, end, strides = node_call.ints(1), node_call.ints(2), node_call.ints(3)
    node = node_call.node
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
            index.append(start)
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
        kept = _kept(call, shape)
        changed = [axis for axis, (a, b) in enumerate(zip(shape, kept)) if a != b]
        ignored = call.node.integer("begin_mask")
        starts = tuple(
            [0 if axis >= rank or ignored >> axis & 1 else begin[axis] % shape[axis] for axis in changed]
        )
        steps = tuple([1 if axis >= rank else strides[axis] for axis in changed])
        first = call.step("slice", kept, axes=tuple(changed), starts=starts, steps=steps)
        return first if kept == out else [first, Step("reshape", (0,), {}, (out,))]
    return call.step("slice", out)


def _kept(call: Call, shape: Shape) -> Shape:
    """Shape of a strided slice before dimensions are dropped."""
    begin, end, strides = call.ints(1), call.ints(2), call.ints(3)
    node = call.node
    out = list(shape)
    for axis, (start, stop, step) in enumerate(zip(begin, end, strides)):
        if node.integer("shrink_axis_mask") >> axis & 1:
            out[axis] = 1
        else:
            first = None if node.integer("begin_mask") >> axis & 1 else start
            last = None if node.integer("end_mask") >> axis & 1 else stop
            out[axis] = len(range(shape[axis])[first:last:step])
    return tuple(out)


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


_UNARY = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Cos": "cos",
    "Elu": "elu",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "LeakyRelu": "leakyrelu",
    "Log": "log",
    "LRN": "lrn",
    "Neg": "neg",
    "Reciprocal": "reciprocal",
    "Inv": "reciprocal",
    "Relu": "relu",
    "Relu6": "relu6",
    "Rint": "round",
    "Round": "round",
    "Rsqrt": "rsqrt",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Sin": "sin",
    "Softplus": "softplus",
    "Sqrt": "sqrt",
    "Square": "square",
    "Tanh": "tanh",
    **{op: op for op in ("Softsign", "Sign", "Log1p", "Expm1", "LogicalNot", "ZerosLike", "OnesLike")},
}

_BINARY = {
    "Add": "add",
    "AddV2": "add",
    "Div": "div",
    "DivNoNan": "div",
    "Maximum": "max",
    "Minimum": "min",
    "Mul": "mul",
    "Pow": "pow",
    "RealDiv": "div",
    "Sub": "sub",
    **{
        op: op
        for op in (
            "Equal",
            "FloorDiv",
            "FloorMod",
            "Greater",
            "GreaterEqual",
            "Less",
            "LessEqual",
            "LogicalAnd",
            "LogicalOr",
            "NotEqual",
        )
    },
}

HANDLERS: dict[str, Handler] = {
    **{source: _unary(op) for source, op in _UNARY.items()},
    **{source: _binary(op) for source, op in _BINARY.items()},
    "AddN": _sum_of_all,
    "ArgMax": _argmax,
    "ArgMin": _argmax,
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BatchMatMulV3": _matmul,
    "BroadcastTo": _expand,
    "Concat": _concat,
    "ConcatV2": _concat,
    "Einsum": _einsum,
    "ExpandDims": _expand_dims,
    "Gather": _gather,
    "GatherV2": _gather,
    "LogSoftmax": _softmax("logsoftmax"),
    "MatMul": _matmul,
    "Max": _reduce("reduce_max"),
    "Mean": _reduce("reduce_mean"),
    "Min": _reduce("reduce_min"),
    "MirrorPad": _pad,
    "Pack": _stack,
    "Pad": _pad,
    "PadV2": _pad,
    "Prod": _reduce("reduce_prod"),
    "Reshape": _reshape,
    "ResourceGather": _gather,
    "Select": _select,
    "SelectV2": _select,
    "Slice": _slice,
    "Softmax": _softmax("softmax"),
    "Split": _split,
    "SplitV": _split,
    "SquaredDifference": _squared_difference,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Sum": _reduce("reduce_sum"),
    "Tile": _expand,
    "TopKV2": _topk,
    "Transpose": _transpose,
}
