"""TensorFlow ops on images without a window: normalisation, resizing, blocks of pixels."""

from __future__ import annotations

from predictor_core.frontends.tensorflow.call import Call, Handler, Step
from predictor_core.frontends.tensorflow.math_ops import binary


def _batch_norm(call: Call) -> Step:
    return call.step("bn", call.shape())


def _bias_add(call: Call) -> Step | list[Step]:
    """Keras adds the product of a state as a bias where the batch is 1."""
    bias, rank = call.value(1), len(call.shape())
    if bias.is_constant:
        return call.step("biasadd", call.shape())
    if not call.channels_first or rank < 3:
        return binary("add")(call)
    turned = Step("reshape", (bias,), {}, ((*bias.shape, *[1] * (rank - 2)),))
    return [turned, Step("add", (call.value(), 0), {}, (call.shape(),))]


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
    "BatchToSpaceND": _batch_to_space,
    "BiasAdd": _bias_add,
    "BiasAddV1": _bias_add,
    "DepthToSpace": _depth_to_space,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "ResizeBicubic": _resize("cubic"),
    "ResizeBilinear": _resize("linear"),
    "ResizeNearestNeighbor": _resize("nearest"),
    "SpaceToBatchND": _space_to_batch,
    "SpaceToDepth": _space_to_depth,
}
