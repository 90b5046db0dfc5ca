"""Layers of format 7, that of OpenVINO 2019: weights are blobs, and most parameters attributes."""

from __future__ import annotations

from math import prod
from typing import Any

from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import NotInferableError, Value
from predictor_core.frontends.onnx.dense_ops import HANDLERS as ONNX_DENSE
from predictor_core.frontends.onnx.image_ops import HANDLERS as ONNX
from predictor_core.frontends.openvino import data_ops, image_ops
from predictor_core.frontends.openvino.call import Call, Handler, Step
from predictor_core.frontends.openvino.image_ops import pooled, spatial
from predictor_core.ir.graph import Shape

_ELTWISE = {
    "sum": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "prod": "Mul",
    "div": "Div",
    "max": "Max",
    "min": "Min",
    "pow": "Pow",
    "equal": "Equal",
    "not_equal": "Equal",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
    "floor_mod": "Mod",
}
_ACTIVATIONS = {
    "clamp": "clip",
    "elu": "elu",
    "exp": "exp",
    "hswish": "hswish",
    "mish": "mish",
    "not": "Not",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "swish": "swish",
    "tanh": "tanh",
}


def stated(call: Call) -> Shape:
    """Return the stated shape of the first output."""
    shape = call.layer.shapes[0]
    if min(shape, default=1) < 1:
        raise NotInferableError("it has an open shape")
    return shape


def _conv(call: Call) -> Step | list[Step]:
    x, kernel = call.value(), call.integers("kernel")
    groups, filters = int(call.number("group", 1)), int(call.number("output"))
    attrs: dict[str, Any] = {**spatial(call, len(kernel)), "group": groups}
    blobs = call.layer.blobs()
    bias = [Value((filters,))] if "biases" in blobs else []
    if call.op == "Deconvolution":
        weight = Value((x.shape[1], filters // groups, *kernel))
        attrs["output_shape"] = stated(call)[2:]
        return ONNX["ConvTranspose"](call.as_onnx("ConvTranspose", [x, weight, *bias], **attrs))
    weight = Value((filters, x.shape[1] // groups, *kernel))
    return ONNX["Conv"](call.as_onnx("Conv", [x, weight, *bias], **attrs))


def _pool(call: Call) -> Step | list[Step]:
    return pooled(call, "AveragePool" if call.text("pool-method").lower() == "avg" else "MaxPool")


def _fully_connected(call: Call) -> list[Step]:
    x, outputs = call.shape(), int(call.number("out-size"))
    bias = "biases" in call.layer.blobs()
    if len(x) == 2:
        return [call.step("fc", (x[0], outputs), bias=bias)]
    flat = (x[0], prod(x[1:]))
    return [call.step("reshape", flat), Step("fc", (0,), {"bias": bias}, ((x[0], outputs),))]


def _eltwise(call: Call) -> Step | list[Step]:
    operation = call.text("operation", "sum").lower()
    if operation == "squared_diff":
        return data_ops.HANDLERS["SquaredDifference"](call)
    op = _ELTWISE.get(operation)
    if op is None:
        raise call.error(f"has the operation {operation!r}, which is not known")
    return ONNX_DENSE[op](call.as_onnx(op))


def _relu(call: Call) -> Step:
    return call.step("leakyrelu" if call.number("negative_slope", 0.0) else "relu", call.shape())


def _activation(call: Call) -> Step:
    kind = call.text("type").lower()
    return call.step(_ACTIVATIONS.get(kind, kind or call.op), call.shape())


def _power(call: Call) -> Step | list[Step]:
    """(shift + scale·x)^power: each part that is not neutral is an op."""
    x = call.shape()
    parts = (("mul", "scale", 1.0), ("add", "shift", 0.0), ("pow", "power", 1.0))
    steps: list[Step] = []
    for op, key, neutral in parts:
        number = call.number(key, neutral)
        if number != neutral:
            source: Value | int = len(steps) - 1 if steps else call.value()
            steps.append(Step(op, (source,), {"const": number}, (x,)))
    return steps or call.step("identity", x)


def _reshaped(call: Call) -> Step:
    return call.step("reshape", stated(call))


def _split(call: Call) -> Step:
    axis = call.checked_axis(int(call.number("axis", 1)), len(call.shape()))
    outputs = call.layer.shapes
    return Step(
        "split" if len(outputs) > 1 else "identity",
        (call.value(),),
        {"axis": axis, "sizes": tuple([shape[axis] for shape in outputs])},
        outputs,
    )


def _crop(call: Call) -> Step:
    axes, starts = call.integers("axis"), call.integers("offset")
    return call.step("slice", stated(call), axes=axes, starts=starts, steps=(1,) * len(axes))


def _resample(call: Call) -> Step:
    kind = call.text("type") or call.text("mode") or "linear"
    return call.step("resize", stated(call), mode="nearest" if "nearest" in kind.lower() else "linear")


def _top_k(call: Call) -> Step:
    shapes = call.layer.shapes
    return Step("topk", (call.value(),), {"axis": int(call.number("axis", -1))}, shapes)


HANDLERS: dict[str, Handler] = {
    **data_ops.HANDLERS,
    **image_ops.HANDLERS,
    "Activation": _activation,
    "BatchNormalization": same_shape("bn"),
    "Convolution": _conv,
    "Crop": _crop,
    "Deconvolution": _conv,
    "ELU": same_shape("elu"),
    "Eltwise": _eltwise,
    "Flatten": _reshaped,
    "FullyConnected": _fully_connected,
    "GEMM": data_ops.HANDLERS["MatMul"],
    "Gather": data_ops.as_onnx(
        lambda call: ("Gather", list(call.inputs[:2]), {"axis": int(call.number("axis", 0))})
    ),
    "Interp": _resample,
    "InnerProduct": _fully_connected,
    "Norm": same_shape("lrn"),
    "Normalize": same_shape("l2norm"),
    "PReLU": same_shape("prelu"),
    "Permute": data_ops.as_onnx(lambda call: ("Transpose", [call.value()], {"perm": call.integers("order")})),
    "Pooling": _pool,
    "Power": _power,
    "ReLU": _relu,
    "ReLU6": same_shape("relu6"),
    "Resample": _resample,
    "Reshape": _reshaped,
    "ScaleShift": same_shape("bn"),
    "Sigmoid": same_shape("sigmoid"),
    "Slice": _split,
    "Split": _split,
    "Squeeze": _reshaped,
    "TanH": same_shape("tanh"),
    "Tile": lambda call: call.step("expand", stated(call)),
    "TopK": _top_k,
    "Unsqueeze": _reshaped,
    "VariadicSplit": _split,
}
