"""ONNX writer: ops that move data."""

from __future__ import annotations

import numpy as np

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.onnx.writing.writer import FIRST, Handler, Writer
from predictor_core.ir.graph import Node


def _concat(w: Writer, node: Node) -> None:
    if any(x in w.images for x in node.inputs):
        inputs = [w.image(x) for x in node.inputs]
        w.images.add(node.name)
    else:
        inputs = list(node.inputs)
    axis = w.axis(node.name, node.attrs["axis"])
    shape = w.stored(node.name)
    # What no input fills is a constant, such as the class token of a transformer.
    rest = shape[axis] - sum(w.stored(node.name, w.graph.shape(x))[axis] for x in node.inputs)
    if rest > 0:
        inputs.insert(0, w.weight((*shape[:axis], rest, *shape[axis + 1 :]), 50, axis=len(shape) - 1))
    w.add("Concat", inputs, node.name, axis=axis)


def _split(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Split", [x, w.ints(*node.attrs["sizes"])], node.tensors, axis=w.axis(x, node.attrs["axis"]))


def _slice(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    axes = [axis % len(node.shape) for axis in node.attrs["axes"]]
    starts, steps = node.attrs["starts"], node.attrs.get("steps", (1,) * len(axes))
    if any(step < 1 for step in steps):
        raise UnsupportedOpError(f"node {node.name!r}: a slice that goes backwards can't be written as ONNX")
    ends = [start + (node.shape[axis] - 1) * step + 1 for axis, start, step in zip(axes, starts, steps)]
    stored = [w.axis(x, axis) for axis in axes]
    w.add("Slice", [x, w.ints(*starts), w.ints(*ends), w.ints(*stored), w.ints(*steps)], node.name)


def _pad(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    pads = [tuple(pair) for pair in node.attrs["pads"]]
    ordered = [pads[i] for i in FIRST] if x in w.images else pads
    w.add("Pad", [x, w.ints(*(b for b, _ in ordered), *(a for _, a in ordered))], node.name)


def _resize(w: Writer, node: Node) -> None:
    w.images.add(node.name)
    mode = "nearest" if node.attrs.get("mode", "nearest") == "nearest" else "linear"
    sizes = w.ints(*w.stored(node.name))
    w.add("Resize", [w.image(node.inputs[0]), "", "", sizes], node.name, mode=mode)


def _reshape(w: Writer, node: Node) -> None:
    x, target = node.inputs[0], node.shape
    shape = w.graph.shape(x)
    # Where only one dimension is not 1, and in front of random weights, the order of elements is the same.
    if len(target) == 4 and target[1:3] == (1, 1):
        w.images.add(node.name)
    flat = len(target) == 2 and target[0] == shape[0]
    source = x if flat or sum(dim > 1 for dim in shape[1:]) <= 1 else w.plain(x)
    w.add("Reshape", [source, w.ints(*w.stored(node.name))], node.name)


def _transpose(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    perm = [FIRST.index(axis) for axis in node.attrs["perm"]] if x in w.images else list(node.attrs["perm"])
    if perm == sorted(perm):
        w.add("Identity", [x], node.name)
    else:
        w.add("Transpose", [x], node.name, perm=perm)


def _gather(w: Writer, node: Node) -> None:
    x, axis = w.plain(node.inputs[0]), node.attrs.get("axis", 0)
    shape = w.graph.shape(node.inputs[0])
    axis %= len(shape)
    if len(node.inputs) > 1 or node.shape != shape[:axis] + shape[axis + 1 :]:
        raise UnsupportedOpError(f"node {node.name!r}: only the choice of one index can be written as ONNX")
    w.add("Gather", [x, w.constant(0, np.int64)], node.name, axis=axis)


def _channelshuffle(w: Writer, node: Node) -> None:
    w.images.add(node.name)
    n, height, width, channels = node.shape
    groups = node.attrs["groups"]
    split = w.add("Reshape", [w.image(node.inputs[0]), w.ints(n, groups, channels // groups, height, width)])
    mixed = w.add("Transpose", [split], perm=(0, 2, 1, 3, 4))
    w.add("Reshape", [mixed, w.ints(n, channels, height, width)], node.name)


def _blocks(op: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        w.images.add(node.name)
        w.add(op, [w.image(node.inputs[0])], node.name, blocksize=node.attrs["block"])

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
    "depthtospace": _blocks("DepthToSpace"),
    "spacetodepth": _blocks("SpaceToDepth"),
}
