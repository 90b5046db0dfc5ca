"""TensorFlow ops on volumes: convolutions and pools in three dimensions."""

from __future__ import annotations

from predictor_core.frontends.tensorflow.call import Call, Handler, Step
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import slide


def _volume(call: Call, index: int = 0) -> Shape:
    """Return the shape of an input as (N, D, H, W, C), whatever order the node has it in."""
    shape = call.shape(index)
    if len(shape) != 5:
        raise call.error(f"takes a volume of 5 dimensions, got {list(shape)}")
    return (shape[0], *shape[2:], shape[1]) if call.channels_first else shape


def _ordered(call: Call, shape: Shape) -> Shape:
    """Return an (N, D, H, W, C) shape in the order that the node has."""
    return (shape[0], shape[4], *shape[1:4]) if call.channels_first else shape


def _triple(call: Call, key: str) -> Shape:
    """Return depth, height and width of an attribute that lists five numbers; 1 where it is absent."""
    values = call.node.integers(key) or [1] * 5
    if len(values) != 5 or min(values) < 1:
        raise call.error(f"{key} is {list(values)}, expected 5 positive numbers")
    return tuple(values[2:] if call.channels_first else values[1:4])


def _padding(call: Call) -> str:
    return "SAME" if call.padding() == "SAME" else "VALID"


def _weight(call: Call) -> Shape:
    shape = call.shape(1)
    if len(shape) != 5 or not call.value(1).is_constant or min(shape) < 1:
        raise call.error(f"takes constant weights of 5 dimensions, got {list(shape)}")
    return shape


def _conv(call: Call) -> Step:
    batch, *size, channels = _volume(call)
    weight = _weight(call)
    groups = max(channels // weight[3], 1)
    if groups * weight[3] != channels or weight[4] % groups:
        raise call.error(f"weights {list(weight)} do not fit {channels} channels")
    kernel, strides, dilations = weight[:3], _triple(call, "strides"), _triple(call, "dilations")
    pads, out = slide(tuple(size), kernel, strides, dilations, _padding(call))
    return call.step(
        "conv3d",
        _ordered(call, (batch, *out, weight[4])),
        kernel=kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        groups=groups,
        bias=False,
    )


def _conv_transpose(call: Call) -> Step:
    batch, *size, channels = _volume(call, 2)
    weight = _weight(call)
    if weight[4] != channels:
        raise call.error(f"weights {list(weight)} do not fit {channels} channels")
    kernel, strides, dilations = weight[:3], _triple(call, "strides"), _triple(call, "dilations")
    sizes = call.value(0).array
    if sizes is not None and sizes.size == 5:
        given = tuple([int(value) for value in sizes.reshape(-1).tolist()])
        out = given[2:] if call.channels_first else given[1:4]
    else:
        valid = _padding(call) == "VALID"
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
        out = tuple([n * s + (max(r - s, 0) if valid else 0) for n, s, r in zip(size, strides, reach)])
    pads, back = slide(out, kernel, strides, dilations, _padding(call))
    if back != tuple(size):
        raise call.error(f"an output of {list(out)} does not come from an input of {size}")
    return call.step(
        "convtranspose3d",
        _ordered(call, (batch, *out, weight[3])),
        2,
        kernel=kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        groups=1,
        bias=False,
    )


def _pool(op: str) -> Handler:
    def handler(call: Call) -> Step:
        batch, *size, channels = _volume(call)
        kernel, strides = _triple(call, "ksize"), _triple(call, "strides")
        pads, out = slide(tuple(size), kernel, strides, (1, 1, 1), _padding(call))
        shape = _ordered(call, (batch, *out, channels))
        return call.step(op, shape, kernel=kernel, strides=strides, pads=pads)

    return handler


HANDLERS: dict[str, Handler] = {
    "AvgPool3D": _pool("avgpool3d"),
    "Conv3D": _conv,
    "Conv3DBackpropInputV2": _conv_transpose,
    "MaxPool3D": _pool("maxpool3d"),
}
