"""TensorFlow ops on images: convolutions, pools, normalisation, resizing."""

from __future__ import annotations

from predictor_core.frontends.tensorflow.call import Call, Handler, Step
from predictor_core.ir.shapes import same_pads, slide


def _conv(call: Call) -> Step:
    batch, height, width, channels = call.image()
    weight = call.value(1)
    if len(weight.shape) != 4 or not weight.is_constant:
        raise call.error(f"takes constant weights of 4 dimensions, got {list(weight.shape)}")
    kernel = (weight.shape[0], weight.shape[1])
    if call.op == "DepthwiseConv2dNative":
        groups, filters, expected = channels, channels * weight.shape[3], weight.shape[2]
    else:
        groups, filters = max(channels // max(weight.shape[2], 1), 1), weight.shape[3]
        expected = groups * weight.shape[2]
    if expected != channels or filters % groups:
        raise call.error(f"weights {list(weight.shape)} do not fit {channels} channels")
    strides, dilations = call.pair("strides"), call.pair("dilations")
    pads, out = slide((height, width), kernel, strides, dilations, call.padding())
    return call.step(
        "dwconv" if groups == channels > 1 else "conv",
        call.ordered((batch, *out, filters)),
        kernel=kernel,
        strides=strides,
        pads=pads,
        dilations=dilations,
        groups=groups,
        bias=False,
    )


def _conv_transpose(call: Call) -> Step:
    batch, height, width, channels = call.image(2)
    weight = call.shape(1)
    if len(weight) != 4 or weight[3] != channels:
        raise call.error(f"weights {list(weight)} do not fit {channels} channels")
    kernel, strides, dilations = (weight[0], weight[1]), call.pair("strides"), call.pair("dilations")
    padding = call.padding()
    sizes = call.value(0).array
    if sizes is not None and sizes.size in (2, 4):
        given = [int(size) for size in sizes.reshape(-1).tolist()]
        place = 0 if sizes.size == 2 else 2 if call.channels_first else 1
        out = (given[place], given[place + 1])
    else:
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
        extra = [max(r - s, 0) if padding == "VALID" else 0 for r, s in zip(reach, strides)]
        out = (height * strides[0] + extra[0], width * strides[1] + extra[1])
    pads, back = slide(out, kernel, strides, dilations, padding)
    if back != (height, width):
        raise call.error(f"an output of {list(out)} does not come from an input of {[height, width]}")
    if padding == "SAME":
        pads = same_pads(out, kernel, strides, dilations)
    return call.step(
        "convtranspose",
        call.ordered((batch, *out, weight[2])),
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
        batch, height, width, channels = call.image()
        kernel, strides = call.pair("ksize"), call.pair("strides")
        pads, out = slide((height, width), kernel, strides, (1, 1), call.padding())
        return call.step(op, call.ordered((batch, *out, channels)), kernel=kernel, strides=strides, pads=pads)

    return handler


def _batch_norm(call: Call) -> Step:
    return call.step("bn", call.shape())


def _bias_add(call: Call) -> Step:
    return call.step("biasadd", call.shape())


def _resize(mode: str) -> Handler:
    def handler(call: Call) -> Step:
        batch, _, _, channels = call.image()
        height, width = call.ints(1)
        return call.step("resize", (batch, height, width, channels), mode=mode)

    return handler


def _depth_to_space(call: Call) -> Step:
    batch, height, width, channels = call.image()
    block = call.node.integer("block_size", 1)
    out = (batch, height * block, width * block, channels // block**2)
    return call.step("depthtospace", call.ordered(out), block=block)


def _space_to_depth(call: Call) -> Step:
    batch, height, width, channels = call.image()
    block = call.node.integer("block_size", 1)
    out = (batch, height // block, width // block, channels * block**2)
    return call.step("spacetodepth", call.ordered(out), block=block)


def _space_to_batch(call: Call) -> Step:
    shape, blocks, pads = call.shape(), call.ints(1), call.ints(2)
    out = list(shape)
    for i, block in enumerate(blocks):
        out[0] *= block
        out[i + 1] = (shape[i + 1] + pads[2 * i] + pads[2 * i + 1]) // block
    return call.step("SpaceToBatchND", tuple(out), block=blocks, pads=pads)


def _batch_to_space(call: Call) -> Step:
    shape, blocks, crops = call.shape(), call.ints(1), call.ints(2)
    out = list(shape)
    for i, block in enumerate(blocks):
        out[0] //= block
        out[i + 1] = shape[i + 1] * block - crops[2 * i] - crops[2 * i + 1]
    return call.step("BatchToSpaceND", tuple(out), block=blocks, crops=crops)


HANDLERS: dict[str, Handler] = {
    "AvgPool": _pool("avgpool"),
    "BatchToSpaceND": _batch_to_space,
    "BiasAdd": _bias_add,
    "BiasAddV1": _bias_add,
    "Conv2D": _conv,
    "Conv2DBackpropInput": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "DepthwiseConv2dNative": _conv,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "MaxPool": _pool("maxpool"),
    "ResizeBicubic": _resize("cubic"),
    "ResizeBilinear": _resize("linear"),
    "ResizeNearestNeighbor": _resize("nearest"),
    "SpaceToBatchND": _space_to_batch,
    "SpaceToDepth": _space_to_depth,
}
