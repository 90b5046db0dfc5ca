"""OpenVINO ops on images: convolutions, pools, normalisation, resizing."""

from __future__ import annotations

from typing import Any

from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import NotInferableError, Value
from predictor_core.frontends.onnx.image_ops import HANDLERS as ONNX
from predictor_core.frontends.openvino.call import Call, Handler, Step
from predictor_core.ir.graph import Shape

_AUTO_PADS = {
    "same_upper": "SAME_UPPER",
    "same_lower": "SAME_LOWER",
    "valid": "VALID",
}


def spatial(call: Call, rank: int) -> dict[str, Any]:
    """Return strides, dilations and pads as ONNX has them."""
    ones, zeros = (1,) * rank, (0,) * rank
    return {
        "strides": call.integers("strides", ones),
        "dilations": call.integers("dilations", ones),
        "pads": call.integers("pads_begin", zeros) + call.integers("pads_end", zeros),
        "auto_pad": _AUTO_PADS.get(call.text("auto_pad").lower(), "NOTSET"),
    }


def _conv(call: Call) -> Step | list[Step]:
    x, weight = call.value(0), call.value(1)
    groups, shape = 1, weight.shape
    if call.op == "GroupConvolution":
        groups, shape = shape[0], (shape[0] * shape[1], *shape[2:])
    weight = weight._replace(shape=shape)
    return ONNX["Conv"](call.as_onnx("Conv", [x, weight], group=groups, **spatial(call, len(shape) - 2)))


def _conv_transpose(call: Call) -> Step | list[Step]:
    """Weights are (channels, filters, ...), after the groups where there are several."""
    x, weight = call.value(0), call.value(1)
    groups, shape = 1, weight.shape
    if call.op == "GroupConvolutionBackpropData":
        groups, shape = shape[0], (shape[0] * shape[1], *shape[2:])
    rank = len(shape) - 2
    attrs = {
        **spatial(call, rank),
        "group": groups,
        "output_padding": call.integers("output_padding", (0,) * rank),
    }
    if call.has(2):
        try:
            attrs["output_shape"] = call.ints(2)[-rank:]
        except NotInferableError:
            attrs["output_shape"] = call.layer.shapes[0][2:]
            if min(attrs["output_shape"], default=0) < 1:
                raise
    return ONNX["ConvTranspose"](call.as_onnx("ConvTranspose", [x, weight._replace(shape=shape)], **attrs))


def pooled(call: Call, op: str) -> Step | list[Step]:
    """Return a pool; `op` is that of ONNX."""
    kernel = call.integers("kernel")
    attrs = {"kernel_shape": kernel, **spatial(call, len(kernel))}
    attrs["ceil_mode"] = call.text("rounding_type").lower().startswith("ceil")
    return ONNX[op](call.as_onnx(op, call.inputs[:1], **attrs))


def resized(call: Call, out: Shape) -> Step:
    """Return a resize to a shape."""
    mode = {"cubic": "cubic", "nearest": "nearest"}.get(call.text("mode", "nearest"), "linear")
    return call.step("resize", out, mode=mode)


def _interpolate(call: Call) -> Step:
    """Sizes or scales are an input; axes another one, or all of the image's."""
    x = call.shape()
    by_scale = call.text("shape_calculation_mode") == "scales"
    axes_at = 3 if call.op == "Interpolate" and call.layer.version != "opset11" else 2
    axes = call.ints(axes_at) if call.has(axes_at) else tuple(range(len(x)))
    out = list(x)
    if call.layer.version == "opset1":
        for axis, size in zip(call.integers("axes"), call.ints(1)):
            out[axis] = size
        return resized(call, tuple(out))
    values = call.array(2 if by_scale and axes_at == 3 else 1).reshape(-1).tolist()
    for axis, value in zip(axes, values):
        out[axis] = int(out[axis] * value + 1e-4) if by_scale else int(value)
    return resized(call, tuple(out))


def _mean_variance(call: Call) -> Step | list[Step]:
    """Normalise over some dimensions: written as its ops, so that a scale and a shift behind it are found."""
    x, rank = call.shape(), len(call.shape())
    if call.layer.version in ("", "opset1") or not call.has(1):
        axes = tuple(range(1 if call.flag("across_channels") else 2, rank))
    else:
        axes = tuple(sorted({call.checked_axis(axis, rank) for axis in call.ints(1)}))
    return normalised(call, axes, x)


def normalised(call: Call, axes: tuple[int, ...], x: Shape) -> list[Step]:
    """Return a normalisation over some dimensions."""
    rank = len(x)
    if rank > 3 and axes == tuple(range(2, rank)):
        return [call.step("instancenorm", x)]
    reduced = tuple([1 if axis in axes else dim for axis, dim in enumerate(x)])
    mean = {"axes": axes, "keepdims": True}
    return [
        Step("reduce_mean", (call.value(),), mean, (reduced,)),
        Step("sub", (call.value(), 0), {}, (x,)),
        Step("square", (1,), {}, (x,)),
        Step("reduce_mean", (2,), mean, (reduced,)),
        Step("add", (3,), {"const": 1e-6}, (reduced,)),
        Step("sqrt", (4,), {}, (reduced,)),
        Step("div", (1, 5), {}, (x,)),
    ]


def adaptive_pool(call: Call, out: Shape) -> Step:
    """Return a pool to a given size."""
    x, mode = call.shape(), "avg" if "Avg" in call.op else "max"
    if out == x:
        return call.step("identity", x)
    if max(out[2:]) == 1:
        op = "reduce_mean" if mode == "avg" else "reduce_max"
        return call.step(op, out, axes=tuple(range(2, len(x))), keepdims=True)
    if len(x) == 4 and all(before % after == 0 for before, after in zip(x[2:], out[2:])):
        kernel = tuple([before // after for before, after in zip(x[2:], out[2:])])
        return call.step(f"{mode}pool", out, kernel=kernel, strides=kernel, pads=(0, 0, 0, 0))
    return call.step("adaptivepool", out, mode=mode)


def _channel_shuffle(call: Call) -> Step:
    """Over another dimension than the channels, data move just the same."""
    return call.step("channelshuffle", call.shape(), groups=int(call.number("group", 1)))


def _blocks(op: str) -> Handler:
    return lambda call: ONNX[op](call.as_onnx(op, blocksize=int(call.number("block_size"))))


def _sampled(call: Call) -> Step:
    x, grid = call.shape(0), call.shape(1)
    return call.step("GridSample", (*x[:2], *grid[1:-1]), 0, 1)


def _rois(call: Call) -> Step:
    x, rois = call.shape(0), call.shape(1)
    size = (int(call.number("pooled_h")), int(call.number("pooled_w")))
    return call.step(call.op, (rois[0], x[1], *size), 0, 1)


def _prelu(call: Call) -> Step:
    slope: Value = call.value(1)
    return call.step("prelu" if slope.array is None or slope.array.size > 1 else "leakyrelu", call.shape())


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(
        ("AdaptiveAvgPool", "AdaptiveMaxPool"),
        lambda call: adaptive_pool(call, (*call.shape()[:2], *call.ints(1))),
    ),
    "AvgPool": lambda call: pooled(call, "AveragePool"),
    "BatchNormInference": same_shape("bn"),
    "Convolution": _conv,
    "ConvolutionBackpropData": _conv_transpose,
    "DepthToSpace": _blocks("DepthToSpace"),
    "GRN": same_shape("l2norm"),
    "GridSample": _sampled,
    "GroupConvolution": _conv,
    "GroupConvolutionBackpropData": _conv_transpose,
    "GroupNormalization": lambda call: call.step(
        "groupnorm", call.shape(), groups=int(call.number("num_groups"))
    ),
    "Interpolate": _interpolate,
    "LRN": same_shape("lrn"),
    "MVN": _mean_variance,
    "MaxPool": lambda call: pooled(call, "MaxPool"),
    "NormalizeL2": same_shape("l2norm"),
    "PRelu": _prelu,
    "PReLU": _prelu,
    "ROIAlign": _rois,
    "ShuffleChannels": _channel_shuffle,
    "SpaceToDepth": _blocks("SpaceToDepth"),
}
