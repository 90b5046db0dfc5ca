"""TensorFlow ops on tensors of any rank that compute: arithmetic, products, reductions."""

from __future__ import annotations

from math import prod

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.tensorflow.call import Call, Handler, Step
from predictor_core.ir.einsum import explicit, plan
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import broadcast, reduced

#: Numbers that change nothing.
_NEUTRAL = {"add": 0.0, "mul": 1.0, "div": 1.0}


def binary(op: str) -> Handler:
    """Return the rule of an op on two tensors that broadcast."""

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
    difference = binary("sub")(call)
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


#: Ops that keep the shape of their input, and ops on two tensors: canonical ones under their name in capitals
#: and small letters, and those that have no canonical op.
_LOWERED = """
Abs Ceil Cos Elu Erf Exp Floor LRN LeakyRelu Log Neg Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sin
Softplus Sqrt Square Tanh
"""
_KEPT = "Expm1 Log1p LogicalNot OnesLike ReverseSequence Sign Softsign ZerosLike"
_LOWERED_BINARY = "Add Div Mul Pow Sub"
_KEPT_BINARY = "Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr NotEqual"

_UNARY = {
    **{op: op.lower() for op in _LOWERED.split()},
    **{op: op for op in _KEPT.split()},
    "Inv": "reciprocal",
    "ReverseV2": "Reverse",
    "Rint": "round",
}
_BINARY = {
    **{op: op.lower() for op in _LOWERED_BINARY.split()},
    **{op: op for op in _KEPT_BINARY.split()},
    "AddV2": "add",
    "DivNoNan": "div",
    "Maximum": "max",
    "Minimum": "min",
    "RealDiv": "div",
}

HANDLERS: dict[str, Handler] = {
    **{source: same_shape(op) for source, op in _UNARY.items()},
    **{source: binary(op) for source, op in _BINARY.items()},
    "AddN": _sum_of_all,
    "All": _reduce("All"),
    "Any": _reduce("Any"),
    "ArgMax": _argmax,
    "ArgMin": _argmax,
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BatchMatMulV3": _matmul,
    "Einsum": _einsum,
    "LogSoftmax": _softmax("logsoftmax"),
    "MatMul": _matmul,
    "Max": _reduce("reduce_max"),
    "Mean": _reduce("reduce_mean"),
    "Min": _reduce("reduce_min"),
    "Prod": _reduce("reduce_prod"),
    "Select": _select,
    "SelectV2": _select,
    "Softmax": _softmax("softmax"),
    "SquaredDifference": _squared_difference,
    "Sum": _reduce("reduce_sum"),
    "TopKV2": _topk,
}
