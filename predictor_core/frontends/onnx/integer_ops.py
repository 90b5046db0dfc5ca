"""What onnxruntime's quantiser writes: ops on integers, read as the ops on floats that they stand for.

Scales and zero points change no shape, and a predictor of a float runtime costs the float op.
"""

from __future__ import annotations

from collections.abc import Callable

from predictor_core.frontends.common.values import AS_FLOAT, Value, constant
from predictor_core.frontends.onnx import data_ops, dense_ops, image_ops
from predictor_core.frontends.onnx.call import Call, Handler
from predictor_core.frontends.onnx.compose import Steps, on_channels_last, pick, picked, rule
from predictor_core.frontends.onnx.fold import dequantized

_DENSE, _DATA, _IMAGE = dense_ops.HANDLERS, data_ops.HANDLERS, image_ops.HANDLERS


def _as_float(handler: Handler, *indices: int) -> Callable[[Call], Steps]:
    """Return the rule of a quantised op: the float op on the inputs that are no scale and no zero point."""
    of_float = picked(handler, *indices)

    def run(call: Call) -> Steps:
        call.warnings.append(AS_FLOAT)
        return on_channels_last(of_float, call) if call.attrs.get("channels_last") else of_float(call)

    return run


def _binary(op: str) -> Callable[[Call], Steps]:
    """Return the rule of an op of two operands, of which a constant number is read as the float it is."""

    def run(call: Call) -> Steps:
        call.warnings.append(AS_FLOAT)
        return rule(_DENSE[op], call, [_operand(call, 0), _operand(call, 3)])

    return run


def _operand(call: Call, index: int) -> Value | None:
    operand, *scale_and_zero = pick(call, index, index + 1, index + 2)
    arrays = [None if value is None else value.array for value in (operand, *scale_and_zero)]
    if arrays[0] is None or arrays[0].size != 1 or arrays[1] is None:
        return operand
    return constant(dequantized(arrays[0], arrays[1], arrays[2]))


def _concat(call: Call) -> Steps:
    call.warnings.append(AS_FLOAT)
    return rule(_DATA["Concat"], call, call.inputs[2::3])


def _softmax(call: Call) -> Steps:
    call.warnings.append(AS_FLOAT)
    float_call = call.like(pick(call, 0), {})
    float_call.opset = call.attrs.get("opset", call.opset)
    return rule(_DENSE["Softmax"], float_call, float_call.inputs)


def _product_with_bias(bias: int) -> Callable[[Call], Steps]:
    product = _as_float(_DENSE["MatMul"], 0, 1)

    def run(call: Call) -> Steps:
        steps = product(call)
        steps.plus(call, bias)
        return steps

    return run


HANDLERS: dict[str, Handler] = {
    "ConvInteger": _as_float(_IMAGE["Conv"], 0, 1),
    "DequantizeLinear": _as_float(_DATA["Identity"], 0),
    "DynamicQuantizeLinear": _as_float(_DATA["Identity"], 0),
    "MatMulInteger": _as_float(_DENSE["MatMul"], 0, 1),
    "QLinearConv": _as_float(_IMAGE["Conv"], 0, 3, 8),
    "QLinearMatMul": _as_float(_DENSE["MatMul"], 0, 3),
    "QuantizeLinear": _as_float(_DATA["Identity"], 0),
}

#: Those of onnxruntime's own domain.
CONTRIB_HANDLERS: dict[str, Handler] = {
    "DynamicQuantizeMatMul": _product_with_bias(4),
    "MatMulIntegerToFloat": _product_with_bias(6),
    "QGemm": _as_float(_DENSE["Gemm"], 0, 3, 6),
    "QLinearAdd": _binary("Add"),
    "QLinearAveragePool": _as_float(_IMAGE["AveragePool"], 0),
    "QLinearConcat": _concat,
    "QLinearGlobalAveragePool": _as_float(_IMAGE["GlobalAveragePool"], 0),
    "QLinearLeakyRelu": _as_float(_DENSE["LeakyRelu"], 0),
    "QLinearMul": _binary("Mul"),
    "QLinearReduceMean": _as_float(_DENSE["ReduceMean"], 0),
    "QLinearSigmoid": _as_float(_DENSE["Sigmoid"], 0),
    "QLinearSoftmax": _softmax,
    "QLinearWhere": _as_float(_DENSE["Where"], 0, 1, 4),
}
