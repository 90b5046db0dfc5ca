"""TFLite writer: ops that move data."""

from __future__ import annotations

import numpy as np

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.tflite.writing.writer import Handler, Writer
from predictor_core.ir.graph import Node, Shape


def _concat(w: Writer, node: Node) -> None:
    axis = node.attrs["axis"] % len(node.shape)
    inputs = [w[x] for x in node.inputs]
    # What no input fills is a constant, such as the class token of a transformer.
    rest = node.shape[axis] - sum(w.graph.shape(x)[axis] for x in node.inputs)
    if rest > 0:
        inputs.insert(0, w.weight((*node.shape[:axis], rest, *node.shape[axis + 1 :]), 50))
    w.add("CONCATENATION", inputs, [w[node.name]], "ConcatenationOptions", axis=axis)


def _split(w: Writer, node: Node) -> None:
    axis = node.attrs["axis"] % len(w.graph.shape(node.inputs[0]))
    sizes = w.constant(node.attrs["sizes"], np.int32)
    outputs = [w[tensor] for tensor in node.tensors]
    where = w.constant(axis, np.int32)
    if len(set(node.attrs["sizes"])) == 1:
        w.add("SPLIT", [where, w[node.inputs[0]]], outputs, "SplitOptions", numSplits=len(outputs))
    else:
        w.add("SPLIT_V", [w[node.inputs[0]], sizes, where], outputs, "SplitVOptions", numSplits=len(outputs))


def _slice(w: Writer, node: Node) -> None:
    rank = len(node.shape)
    begin, end, step = [0] * rank, list(w.graph.shape(node.inputs[0])), [1] * rank
    steps = node.attrs.get("steps", (1,) * len(node.attrs["axes"]))
    for axis, start, stride in zip(node.attrs["axes"], node.attrs["starts"], steps):
        if stride < 1:
            raise UnsupportedOpError(f"node {node.name!r}: a slice that goes backwards")
        begin[axis], step[axis] = start, stride
        end[axis] = start + (node.shape[axis] - 1) * stride + 1
    bounds = [w.constant(values, np.int32) for values in (begin, end, step)]
    w.add("STRIDED_SLICE", [w[node.inputs[0]], *bounds], [w[node.name]], "StridedSliceOptions")


def _pad(w: Writer, node: Node) -> None:
    amounts = w.constant([list(pair) for pair in node.attrs["pads"]], np.int32)
    w.add("PAD", [w[node.inputs[0]], amounts], [w[node.name]], "PadOptions")


def _resize(w: Writer, node: Node) -> None:
    nearest = node.attrs.get("mode", "nearest") == "nearest"
    op, options = (
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions")
        if nearest
        else ("RESIZE_BILINEAR", "ResizeBilinearOptions")
    )
    w.add(op, [w[node.inputs[0]], w.constant(node.shape[1:3], np.int32)], [w[node.name]], options)


def _reshape(w: Writer, node: Node) -> None:
    _reshaped(w, w[node.inputs[0]], w[node.name], node.shape)


def _reshaped(w: Writer, source: int, target: int, shape: Shape) -> None:
    w.add("RESHAPE", [source, w.constant(shape, np.int32)], [target], "ReshapeOptions", newShape=list(shape))


def _transpose(w: Writer, node: Node) -> None:
    perm = w.constant(node.attrs["perm"], np.int32)
    w.add("TRANSPOSE", [w[node.inputs[0]], perm], [w[node.name]], "TransposeOptions")


def _gather(w: Writer, node: Node) -> None:
    shape, axis = w.graph.shape(node.inputs[0]), node.attrs.get("axis", 0)
    axis %= len(shape)
    if len(node.inputs) > 1 or node.shape != shape[:axis] + shape[axis + 1 :]:
        raise UnsupportedOpError(f"node {node.name!r}: only the choice of one index can be written as TFLite")
    inputs = [w[node.inputs[0]], w.constant(0, np.int32)]
    w.add("GATHER", inputs, [w[node.name]], "GatherOptions", axis=axis)


def _channelshuffle(w: Writer, node: Node) -> None:
    n, height, width, channels = node.shape
    groups = node.attrs["groups"]
    split = w.temporary((n, height, width, groups, channels // groups))
    mixed = w.temporary((n, height, width, channels // groups, groups))
    _reshaped(w, w[node.inputs[0]], split, (n, height, width, groups, channels // groups))
    w.add("TRANSPOSE", [split, w.constant((0, 1, 2, 4, 3), np.int32)], [mixed], "TransposeOptions")
    _reshaped(w, mixed, w[node.name], node.shape)


def _blocks(op: str, options: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        w.add(op, [w[node.inputs[0]]], [w[node.name]], options, blockSize=node.attrs["block"])

    return write


#: Canonical op -> function that writes a node of it.
HANDLERS: dict[str, Handler] = {
    "concat": _concat,
    "split": _split,
    "slice": _slice,
    "pad": _pad,
    "resize": _resize,
    "reshape": _reshape,
    "transpose": _transpose,
    "gather": _gather,
    "channelshuffle": _channelshuffle,
    "depthtospace": _blocks("DEPTH_TO_SPACE", "DepthToSpaceOptions"),
    "spacetodepth": _blocks("SPACE_TO_DEPTH", "SpaceToDepthOptions"),
}
