"""TensorFlow ops that slide a window over two or three dimensions: convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence

from predictor_core.frontends.tensorflow.call import Call, Handler, Step
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import slide


def _weight(call: Call, dims: int) -> Shape:
    weight = call.value(1)
    if len(weight.shape) != dims + 2 or not weight.is_constant or min(weight.shape) < 1:
        raise call.error(f"takes constant weights of {dims + 2} dimensions, got {list(weight.shape)}")
    return weight.shape


def enlarged(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: str | tuple[int, ...]
) -> Shape:
    """Return the size after a transposed window."""
    valid = padding == "VALID"
    return tuple([n * s + (max(k - s, 0) if valid else 0) for n, k, s in zip(size, kernel, strides)])


def _conv(op: str, dims: int = 2) -> Handler:
    def handler(call: Call) -> Step:
        batch, *size, channels = call.image(dims=dims)
        weight = _weight(call, dims)
        if call.op == "DepthwiseConv2dNative":
            groups, filters, expected = channels, channels * weight[-1], weight[-2]
        else:
            groups, filters = max(channels // weight[-2], 1), weight[-1]
            expected = groups * weight[-2]
        if expected != channels or filters % groups:
            raise call.error(f"weights {list(weight)} do not fit {channels} channels")
        kernel, strides, dilations = weight[:dims], call.sizes("strides", dims), call.sizes("dilations", dims)
        pads, out = slide(tuple(size), kernel, strides, dilations, call.padding())
        window = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
        kind = "dwconv" if op == "conv" and groups == channels > 1 else op
        return call.step(kind, call.ordered((batch, *out, filters)), **window, groups=groups, bias=False)

    return handler


def _conv_transpose(op: str, dims: int = 2) -> Handler:
    def handler(call: Call) -> Step:
        batch, *size, channels = call.image(2, dims)
        weight = _weight(call, dims)
        if weight[-1] != channels:
            raise call.error(f"weights {list(weight)} do not fit {channels} channels")
        kernel, strides, dilations = weight[:dims], call.sizes("strides", dims), call.sizes("dilations", dims)
        padding = call.padding()
        given = call.value(0).array
        if given is not None and given.size in (dims, dims + 2):
            first = 0 if given.size == dims else 2 if call.channels_first else 1
            out = tuple([int(length) for length in given.reshape(-1).tolist()[first : first + dims]])
        else:
            reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
            out = enlarged(size, reach, strides, padding)
        pads, back = slide(out, kernel, strides, dilations, padding)
        if back != tuple(size):
            raise call.error(f"an output of {list(out)} does not come from an input of {size}")
        window = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
        return call.step(op, call.ordered((batch, *out, weight[-2])), 2, **window, groups=1, bias=False)

    return handler


def pool(op: str, dims: int = 2) -> Handler:
    """Return the rule of a pool over `dims` dimensions."""

    def handler(call: Call) -> Step:
        batch, *size, channels = call.image(dims=dims)
        kernel, strides = call.sizes("ksize", dims), call.sizes("strides", dims)
        pads, out = slide(tuple(size), kernel, strides, (1,) * dims, call.padding())
        return call.step(op, call.ordered((batch, *out, channels)), kernel=kernel, strides=strides, pads=pads)

    return handler


HANDLERS: dict[str, Handler] = {
    "AvgPool": pool("avgpool"),
    "AvgPool3D": pool("avgpool3d", 3),
    "Conv2D": _conv("conv"),
    "Conv2DBackpropInput": _conv_transpose("convtranspose"),
    "Conv3D": _conv("conv3d", 3),
    "Conv3DBackpropInputV2": _conv_transpose("convtranspose3d", 3),
    "DepthwiseConv2dNative": _conv("conv"),
    "MaxPool": pool("maxpool"),
    "MaxPool3D": pool("maxpool3d", 3),
}
