"""TensorFlow Lite ops on images: convolutions and pools."""

from __future__ import annotations

from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.tensorflow.image_ops import HANDLERS as TENSORFLOW
from predictor_core.frontends.tensorflow.window_ops import enlarged, pool
from predictor_core.frontends.tflite.call import Call, Handler, Step, activated
from predictor_core.ir.shapes import same_pads, slide


def _weight(call: Call, index: int, rank: int = 4) -> Value:
    weight = call.value(index)
    if len(weight.shape) != rank or min(weight.shape) < 1:
        raise call.error(f"takes weights of {rank} dimensions, got {list(weight.shape)}")
    return weight


def _conv(call: Call) -> Step:
    """Weights are (filters, height, width, channels of a group); of a depthwise op, (1, h, w, filters)."""
    batch, height, width, channels = call.image()
    weight = _weight(call, 1)
    kernel = weight.shape[1:3]
    if call.op == "DEPTHWISE_CONV_2D":
        groups, filters = channels, weight.shape[3]
    else:
        groups, filters = max(channels // weight.shape[3], 1), weight.shape[0]
        if groups * weight.shape[3] != channels:
            raise call.error(f"weights {list(weight.shape)} do not fit {channels} channels")
    if filters % groups:
        raise call.error(f"weights {list(weight.shape)} do not fit {channels} channels")
    strides, dilations = call.sizes("strides", 2), call.sizes("dilations", 2)
    pads, out = slide((height, width), kernel, strides, dilations, call.padding())
    window = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
    op, reads = "dwconv" if groups == channels > 1 else "conv", (0,) if weight.is_constant else (0, 1)
    return call.step(op, (batch, *out, filters), *reads, **window, groups=groups, bias=call.has(2))


def _transpose_conv(call: Call) -> Step:
    """Read the output's shape, weights (filters, height, width, channels), the image, and a bias."""
    sizes = call.value(0).array
    out = call.ints(0)[1:3] if sizes is not None and sizes.size == 4 else None
    return transposed_conv(call, 2, call.sizes("strides", 2), call.padding(), call.has(3), out)


def transposed_conv(
    call: Call,
    image: int,
    strides: tuple[int, ...],
    padding: str,
    bias: bool,
    out: tuple[int, ...] | None = None,
) -> Step:
    """Return a transposed convolution.

    Parameters
    ----------
    call : Call
        Its input 1 are the weights, (filters, height, width, channels).
    image : int
        Which input is the image.
    strides : (int, int)
    padding : str
        ``SAME`` or ``VALID``.
    bias : bool
    out : (int, int), optional
        Height and width of the output; default: as the padding implies.
    """
    batch, height, width, channels = call.image(image)
    weight = _weight(call, 1)
    if weight.shape[3] != channels:
        raise call.error(f"weights {list(weight.shape)} do not fit {channels} channels")
    kernel = weight.shape[1:3]
    if out is None:
        out = enlarged((height, width), kernel, strides, padding)
    pads, back = slide((out[0], out[1]), kernel, strides, (1, 1), padding)
    if back != (height, width):
        raise call.error(f"an output of {list(out)} does not come from an input of {[height, width]}")
    if padding == "SAME":
        pads = same_pads(out, kernel, strides)
    window = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": (1, 1)}
    return call.step("convtranspose", (batch, *out, weight.shape[0]), image, **window, groups=1, bias=bias)


def _conv_3d(call: Call) -> Step:
    """Weights are (depth, height, width, channels, filters)."""
    x, weight = call.shape(), _weight(call, 1, 5).shape
    strides, dilations = call.sizes("strides", 3), call.sizes("dilations", 3)
    if len(x) != 5 or min(strides) < 1 or min(dilations) < 1 or x[4] % weight[3]:
        raise call.error(f"weights {list(weight)} and strides {list(strides)} do not fit {list(x)}")
    same = call.padding() == "SAME"
    out = tuple(
        [
            -(-n // s) if same else (n - (k - 1) * d - 1) // s + 1
            for n, k, s, d in zip(x[1:4], weight, strides, dilations)
        ]
    )
    window = {"kernel": weight[:3], "strides": strides, "dilations": dilations}
    groups = x[4] // weight[3]
    return call.step("conv3d", (x[0], *out, weight[4]), **window, groups=groups, bias=call.has(2))


def _conv_3d_transpose(call: Call) -> Step:
    """Read the output's shape, weights (depth, height, width, filters, channels), the volume, a bias."""
    x, weight, out = call.shape(2), _weight(call, 1, 5).shape, call.ints(0)
    if len(x) != 5 or len(out) != 5 or weight[4] != x[4]:
        raise call.error(f"weights {list(weight)} do not fit {list(x)} and an output of {list(out)}")
    strides, dilations = call.sizes("strides", 3), call.sizes("dilations", 3)
    window = {"kernel": weight[:3], "strides": strides, "dilations": dilations}
    return call.step("convtranspose3d", out, 2, **window, groups=1, bias=call.has(3))


HANDLERS: dict[str, Handler] = {
    "AVERAGE_POOL_2D": activated(pool("avgpool")),
    "BATCH_TO_SPACE_ND": TENSORFLOW["BatchToSpaceND"],
    "CONV_2D": activated(_conv),
    "CONV_3D": activated(_conv_3d),
    "CONV_3D_TRANSPOSE": activated(_conv_3d_transpose),
    "DEPTHWISE_CONV_2D": activated(_conv),
    "DEPTH_TO_SPACE": TENSORFLOW["DepthToSpace"],
    "L2_NORMALIZATION": activated(same_shape("l2norm")),
    "L2_POOL_2D": activated(pool("LpPool")),
    "LOCAL_RESPONSE_NORMALIZATION": same_shape("lrn"),
    "MAX_POOL_2D": activated(pool("maxpool")),
    "RESIZE_BILINEAR": TENSORFLOW["ResizeBilinear"],
    "RESIZE_NEAREST_NEIGHBOR": TENSORFLOW["ResizeNearestNeighbor"],
    "SPACE_TO_BATCH_ND": TENSORFLOW["SpaceToBatchND"],
    "SPACE_TO_DEPTH": TENSORFLOW["SpaceToDepth"],
    "TRANSPOSE_CONV": activated(_transpose_conv),
}
