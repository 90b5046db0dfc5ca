"""Custom ops of TensorFlow Lite models that are known by name: TensorFlow's, a detector's, MediaPipe's.

MediaPipe hands its ops C structs as options (``mediapipe/util/tflite/operations``), those of TensorFlow Lite
are FlexBuffers.
"""

from __future__ import annotations

import struct

from predictor_core.frontends.common.values import NotInferableError
from predictor_core.frontends.tensorflow.data_ops import HANDLERS as TENSORFLOW
from predictor_core.frontends.tensorflow.window_ops import enlarged
from predictor_core.frontends.tflite.call import Call, Handler, Step
from predictor_core.frontends.tflite.flexbuffer import integers
from predictor_core.frontends.tflite.image_ops import transposed_conv
from predictor_core.ir.shapes import slide

#: TensorFlow ops that a converter left as they are: the name has this before it.
_FLEX = "Flex"
#: Paddings as the structs of the C interface number them.
_PADDINGS = {1: "SAME", 2: "VALID"}


def canonical(custom: str) -> str:
    """Return the name of a custom op without what stands for its origin."""
    return custom[len(_FLEX) :] if custom.startswith(_FLEX) else custom


def _struct(call: Call, count: int) -> tuple[int, ...]:
    """Return the first integers of an op's struct."""
    options = call.node.custom_options()
    if len(options) < 4 * count:
        raise call.error(f"has {len(options)} bytes of options; expected at least {4 * count}")
    return struct.unpack_from(f"<{count}i", options)


def _padding(call: Call, number: int) -> str:
    if number not in _PADDINGS:
        raise call.error(f"has padding {number}; expected 1 (SAME) or 2 (VALID)")
    return _PADDINGS[number]


def _conv_transpose_bias(call: Call) -> Step:
    """Read the image, weights (filters, height, width, channels), and a bias."""
    padding, width, height = _struct(call, 3)
    return transposed_conv(call, 0, (height, width), _padding(call, padding), bias=True)


def _pool_struct(call: Call) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """Return padding, strides and kernel of a pool."""
    padding, stride_w, stride_h, filter_w, filter_h = _struct(call, 5)
    return _padding(call, padding), (stride_h, stride_w), (filter_h, filter_w)


def _pool_with_indices(call: Call) -> Step:
    batch, height, width, channels = call.image()
    padding, strides, kernel = _pool_struct(call)
    pads, out = slide((height, width), kernel, strides, (1, 1), padding)
    step = call.step("maxpool", (batch, *out, channels), kernel=kernel, strides=strides, pads=pads)
    return step._replace(outputs=step.outputs * 2)


def _unpool(call: Call) -> Step:
    batch, height, width, channels = call.image()
    padding, strides, kernel = _pool_struct(call)
    out = enlarged((height, width), kernel, strides, padding)
    return call.step("MaxUnpool", (batch, *out, channels), 0, 1)


def _transformed_landmarks(call: Call) -> Step:
    """Write each coordinate as a sum of the others, weighted by a matrix."""
    x = call.shape()
    return call.step("mul", x, const_shape=x[-1:])


def _detections(call: Call) -> list[Step]:
    """Decode boxes (1, n, 4) by their anchors, take the best class of each, and suppress what overlaps."""
    boxes, scores = call.shape(0), call.shape(1)
    options = integers(call.node.custom_options())
    count = options.get("max_detections", 0) * options.get("max_classes_per_detection", 1)
    if len(boxes) != 3 or len(scores) != 3 or scores[1] != boxes[1] or not 0 < count <= 2**20:
        raise NotInferableError(f"boxes {list(boxes)}, scores {list(scores)}, {count} detections")
    anchors = {"const_shape": boxes[1:]}
    steps: list[Step] = []
    if not call.value(0).is_constant:
        steps += [call.step("mul", boxes, **anchors), Step("add", (0,), anchors, (boxes,))]
    decoded = len(steps) - 1 if steps else call.value(0)
    best = {"axes": (2,), "keepdims": False}
    steps.append(call.step("reduce_max", scores[:2], 1, **best))
    outputs = ((1, count, 4), (1, count), (1, count), (1,))
    return [*steps, Step("NonMaxSuppression", (decoded, len(steps) - 1), {}, outputs)]


HANDLERS: dict[str, Handler] = {
    **{_FLEX + op: handler for op, handler in TENSORFLOW.items()},
    "Convolution2DTransposeBias": _conv_transpose_bias,
    "MaxPoolingWithArgmax2D": _pool_with_indices,
    "MaxUnpooling2D": _unpool,
    "TFLite_Detection_PostProcess": _detections,
    "TransformLandmarks": _transformed_landmarks,
}
