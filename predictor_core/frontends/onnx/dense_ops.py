"""ONNX ops of dense arithmetic: elementwise ops, products of matrices, reductions, recurrent layers."""

from __future__ import annotations

from math import prod
from typing import Any

from predictor_core.errors import GraphError
from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.ir.einsum import contractions
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import broadcast, reduced


def _broadcast(call: Call) -> Shape:
    out: Shape = ()
    for index, value in enumerate(call.inputs):
        if value is not None:
            try:
                out = broadcast(out, call.shape(index))
            except GraphError as error:
                raise call.error(str(error)) from None
    return out


def _binary(op: str) -> Handler:
    def handler(call: Call) -> Step:
        out = _broadcast(call)
        tensors = tuple([value for value in call.inputs if value is not None and not value.is_constant])
        attrs: dict[str, Any] = {}
        if len(call.inputs) == 2 and len(tensors) == 1:
            first = call.value(0)
            constant = first if first.is_constant else call.value(1)
            if prod(constant.shape) == 1 and constant.array is not None:
                attrs["const"] = float(constant.array.reshape(-1)[0])
            else:
                attrs["const_shape"] = constant.shape
            if first.is_constant and op in ("sub", "div", "pow"):
                attrs["const_first"] = True
        return Step(op, tensors, attrs, (out,))

    return handler


def _broadcasting(op: str) -> Handler:
    return lambda call: Step(op, tuple(filter(None, call.inputs)), {}, (_broadcast(call),))


def _clip(call: Call) -> Step:
    attrs: dict[str, Any] = {}
    for index, key in ((1, "min"), (2, "max")):
        if key in call.attrs:
            attrs[key] = float(call.attrs[key])
        elif call.has(index):
            array = call.value(index).array
            if array is not None:
                attrs[key] = float(array.reshape(-1)[0])
    # The bounds of float32 stand for no bound in old exporters.
    attrs = {key: bound for key, bound in attrs.items() if abs(bound) < 3e38}
    return call.step("clip", call.shape(0), **attrs)


def _softmax(op: str) -> Handler:
    def handler(call: Call) -> Step:
        x = call.shape(0)
        return call.step(op, x, axis=call.axis(-1 if call.opset >= 13 else 1, len(x)))

    return handler


def _product_shape(call: Call, a: Shape, b: Shape) -> Shape:
    """Shape of numpy's matmul."""
    left = (1, *a) if len(a) == 1 else a
    right = (*b, 1) if len(b) == 1 else b
    if not a or not b or left[-1] != right[-2]:
        raise call.error(f"can't multiply {list(a)} by {list(b)}")
    try:
        batch = broadcast(left[:-2], right[:-2])
    except GraphError as error:
        raise call.error(str(error)) from None
    rows = left[-2:-1] if len(a) > 1 else ()
    columns = right[-1:] if len(b) > 1 else ()
    return batch + rows + columns


def _matmul(call: Call) -> Step:
    a, b = call.value(0), call.value(1)
    out = _product_shape(call, a.shape, b.shape)
    if b.is_constant and not a.is_constant and prod(b.shape[:-2]) == 1 and len(b.shape) >= 2:
        return call.step("fc", out, 0, bias=False)
    return Step("matmul", (a, b), _constant_operand(a, b), (out,))


def _constant_operand(a: Value, b: Value) -> dict[str, Any]:
    if a.is_constant and not b.is_constant:
        return {"const_shape": a.shape, "const_first": True}
    return {"const_shape": b.shape} if b.is_constant else {}


def _gemm(call: Call) -> list[Step]:
    steps: list[Step] = []
    operands: list[Value] = []
    reads: list[Value | int] = []
    for index, flag in ((0, "transA"), (1, "transB")):
        value = call.value(index)
        if len(value.shape) != 2:
            raise call.error(f"takes matrices, got {list(value.shape)}")
        reads.append(value)
        if call.attrs.get(flag):
            turned = value.shape[::-1]
            if not value.is_constant:
                steps.append(Step("transpose", (value,), {"perm": (1, 0)}, (turned,)))
                reads[index] = len(steps) - 1
            value = value._replace(shape=turned)
        operands.append(value)
    a, b = operands
    out = _product_shape(call, a.shape, b.shape)
    bias = call.value(2) if call.has(2) else None
    if b.is_constant and not a.is_constant:
        has_bias = bias is not None and bias.is_constant
        steps.append(Step("fc", (reads[0],), {"bias": has_bias}, (out,)))
        if has_bias:
            bias = None
    else:
        steps.append(Step("matmul", tuple(reads), _constant_operand(a, b), (out,)))
    if bias is not None:
        attrs = {"const_shape": bias.shape} if bias.is_constant else {}
        steps.append(Step("add", (len(steps) - 1, bias), attrs, (out,)))
    return steps


def _reduce(op: str) -> Handler:
    def handler(call: Call) -> Step:
        x = call.shape(0)
        given = call.ints_of("axes", 1)
        if not given:
            if call.attrs.get("noop_with_empty_axes"):
                return call.step("identity", x)
            given = tuple(range(len(x)))
        axes = tuple(sorted({call.checked_axis(axis, len(x)) for axis in given}))
        keepdims = bool(call.attrs.get("keepdims", 1))
        return call.step(op, reduced(x, axes, keepdims), axes=axes, keepdims=keepdims)

    return handler


def _argmax(call: Call) -> Step:
    x = call.shape(0)
    axis = call.axis(0, len(x))
    return call.step("argmax", reduced(x, (axis,), bool(call.attrs.get("keepdims", 1))), axis=axis)


def _recurrent(op: str) -> Handler:
    def handler(call: Call) -> Step:
        x, recurrence = call.shape(0), call.shape(2)
        if len(x) != 3 or len(recurrence) != 3:
            raise call.error(f"takes (steps, batch, features) and weights of 3 dimensions, got {list(x)}")
        directions, hidden = recurrence[0], recurrence[2]
        if call.attrs.get("layout"):
            outputs = ((*x[:2], directions, hidden), *[(x[0], directions, hidden)] * 2)
        else:
            outputs = ((x[0], directions, x[1], hidden), *[(directions, x[1], hidden)] * 2)
        attrs = {"hidden": hidden, "layers": 1, "bidirectional": directions == 2}
        return Step(op, (call.value(0),), attrs, outputs[: call.outputs])

    return handler


def _einsum(call: Call) -> list[Step]:
    values = [call.value(index) for index in range(len(call.inputs))]
    try:
        planned = contractions(call.attrs["equation"], [value.shape for value in values])
    except GraphError as error:
        raise call.error(str(error)) from None
    steps: list[Step] = []
    operands: list[Value | int] = list(values)
    for equation, places, output in planned:
        reads = tuple([operands[place] for place in places])
        constants = [isinstance(read, Value) and read.is_constant for read in reads]
        if all(constants) and len(operands) < len(values) + len(planned) - 1:
            operands.append(Value(output))
            continue
        attrs: dict[str, Any] = {"equation": equation}
        for first, (read, constant) in zip((True, False), zip(reads, constants)):
            if constant and isinstance(read, Value):
                attrs["const_shape"] = read.shape
                if first:
                    attrs["const_first"] = True
        steps.append(Step("Einsum", reads, attrs, (output,)))
        operands.append(len(steps) - 1)
    return steps


_UNARY = {
    "Abs": "abs",
    "Celu": "elu",
    "Ceil": "ceil",
    "Cos": "cos",
    "Elu": "elu",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Gelu": "gelu",
    "FastGelu": "gelu",
    "HardSigmoid": "hsigmoid",
    "HardSwish": "hswish",
    "LeakyRelu": "leakyrelu",
    "Log": "log",
    "Mish": "mish",
    "Neg": "neg",
    "PRelu": "prelu",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "swish",
    "Sin": "sin",
    "Softplus": "softplus",
    "Sqrt": "sqrt",
    "Swish": "swish",
    "Tanh": "tanh",
}
#: Elementwise ops without a canonical name: they keep their own, and are estimated.
_OTHER_UNARY = (
    "CumSum",
    "HardTanh",
    "IsInf",
    "IsNaN",
    "Not",
    "QuickGelu",
    "Shrink",
    "Sign",
    "Softsign",
    "Tan",
    "ThresholdedRelu",
    "Trilu",
)
_OTHER_BINARY = (
    "And",
    "BitShift",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Mod",
    "Or",
    "Xor",
)

HANDLERS: dict[str, Handler] = {
    **{name: same_shape(op) for name, op in _UNARY.items()},
    **{name: same_shape(name) for name in _OTHER_UNARY},
    **{name: _broadcasting(name) for name in _OTHER_BINARY},
    "Add": _binary("add"),
    "ArgMax": _argmax,
    "ArgMin": _argmax,
    "Clip": _clip,
    "Div": _binary("div"),
    "Einsum": _einsum,
    "GRU": _recurrent("gru"),
    "Gemm": _gemm,
    "LSTM": _recurrent("lstm"),
    "LogSoftmax": _softmax("logsoftmax"),
    "MatMul": _matmul,
    "Max": _binary("max"),
    "Mean": _binary("add"),
    "Min": _binary("min"),
    "Mul": _binary("mul"),
    "Pow": _binary("pow"),
    "RNN": _recurrent("rnn"),
    "ReduceL1": _reduce("reduce_sum"),
    "ReduceL2": _reduce("reduce_sum"),
    "ReduceMax": _reduce("reduce_max"),
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceMin": _reduce("reduce_min"),
    "ReduceSum": _reduce("reduce_sum"),
    "ReduceSumSquare": _reduce("reduce_sum"),
    "ReduceProd": _reduce("reduce_sum"),
    "ReduceLogSumExp": _reduce("reduce_sum"),
    "Softmax": _softmax("softmax"),
    "Sub": _binary("sub"),
    "Sum": _binary("add"),
    "Where": _broadcasting("where"),
}
