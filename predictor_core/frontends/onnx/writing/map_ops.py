"""ONNX writer: elementwise ops, norms and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.onnx.writing.writer import FIRST, Handler, Writer
from predictor_core.ir import ops
from predictor_core.ir.graph import Node


def _binary(op: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        # The widest operand decides on the layout; a constant of any shape follows it.
        inputs = list(node.inputs)
        image = any(x in w.images for x in inputs) and len(node.shape) == 4
        if image:
            w.images.add(node.name)
        if image and any(1 < len(w.graph.shape(x)) < 4 for x in inputs):
            raise UnsupportedOpError(
                f"node {node.name!r}: operands of several ranks can't be written as ONNX"
            )
        names = [_as_image(w, x) if image else w.plain(x) for x in inputs]
        if len(names) == 1:
            names.append(_operand(w, node, image))
            if node.attrs.get("const_first"):
                names.reverse()
        while len(names) > 2:
            names = [w.add(op, names[:2]), *names[2:]]
        w.add(op, names, node.name)

    return write


def _as_image(w: Writer, x: str) -> str:
    if len(w.graph.shape(x)) == 1:
        return w.add("Reshape", [x, w.ints(1, w.graph.shape(x)[0], 1, 1)])
    return w.image(x)


def _operand(w: Writer, node: Node, image: bool) -> str:
    if "const" in node.attrs:
        return w.constant(float(node.attrs["const"]))
    shape = tuple(node.attrs.get("const_shape", ()))
    if image and shape:
        shape = (1,) * (4 - len(shape)) + shape
        shape = tuple(shape[i] for i in FIRST)
    return w.weight(shape, 50, axis=len(shape) - 1) if shape else w.constant(0.5)


def _unary(op: str, **attrs: Any) -> Handler:
    def write(w: Writer, node: Node) -> None:
        w.add(op, [w.like_input(node)], node.name, **attrs)

    return write


def _relu6(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Clip", [x, w.constant(0.0), w.constant(6.0)], node.name)


def _swish(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Mul", [x, w.add("Sigmoid", [x])], node.name)


def _gelu(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    erf = w.add("Erf", [w.add("Div", [x, w.constant(2.0**0.5)])])
    product = w.add("Mul", [x, w.add("Add", [erf, w.constant(1.0)])])
    w.add("Mul", [product, w.constant(0.5)], node.name)


def _square(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Mul", [x, x], node.name)


def _prelu(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    channels = node.shape[-1]
    w.add("PRelu", [x, w.constant(np.full((channels, 1, 1) if x in w.images else channels, 0.25))], node.name)


def _bn(w: Writer, node: Node) -> None:
    x, channels = node.inputs[0], node.shape[-1]
    w.images.update((node.name,) if len(node.shape) == 4 else ())
    if len(node.shape) not in (2, 4):
        raise UnsupportedOpError(f"node {node.name!r}: a batch norm of rank {len(node.shape)}")
    ones = [w.constant(np.ones(channels)) for _ in range(2)]
    inputs = [w.image(x), ones[0], w.vector(channels), w.vector(channels), ones[1]]
    w.add("BatchNormalization", inputs, node.name)


def _biasadd(w: Writer, node: Node) -> None:
    x = w.like_input(node)
    channels = node.shape[-1]
    shift = w.constant(np.full((channels, 1, 1) if x in w.images else channels, 0.1))
    w.add("Add", [x, shift], node.name)


def _layernorm(w: Writer, node: Node) -> None:
    axis = node.attrs.get("axis", -1) % len(node.shape)
    inputs = [w.plain(node.inputs[0]), *(w.constant(np.full(node.shape[axis:], v)) for v in (1.0, 0.1))]
    w.add("LayerNormalization", inputs, node.name, axis=axis)


def _softmax(op: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        w.add(op, [w.plain(node.inputs[0])], node.name, axis=node.attrs.get("axis", -1))

    return write


def _lrn(w: Writer, node: Node) -> None:
    w.images.add(node.name)
    w.add("LRN", [w.image(node.inputs[0])], node.name, size=int(node.attrs.get("size", 5)))


def _reduce(op: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        x, rank = node.inputs[0], len(w.graph.shape(node.inputs[0]))
        axes = sorted(axis % rank for axis in node.attrs["axes"])
        keep = bool(node.attrs.get("keepdims", True))
        if x in w.images and axes == [1, 2] and op in ("ReduceMean", "ReduceMax"):
            name = "GlobalAveragePool" if op == "ReduceMean" else "GlobalMaxPool"
            if keep:
                w.images.add(node.name)
                w.add(name, [x], node.name)
            else:
                w.add("Flatten", [w.add(name, [x])], node.name)
            return
        if keep and x in w.images:
            w.images.add(node.name)
        source = x if keep else w.plain(x)
        stored = [w.axis(x, axis) for axis in axes] if source == x else axes
        if op == "ReduceSum":
            w.add(op, [source, w.ints(*stored)], node.name, keepdims=int(keep))
        else:
            w.add(op, [source], node.name, axes=stored, keepdims=int(keep))

    return write


_NAMES = {
    "hswish": "HardSwish", "sigmoid": "Sigmoid", "tanh": "Tanh", "leakyrelu": "LeakyRelu", "elu": "Elu",
    "selu": "Selu", "softplus": "Softplus", "relu": "Relu", "abs": "Abs", "neg": "Neg", "exp": "Exp",
    "log": "Log", "sqrt": "Sqrt", "erf": "Erf", "sin": "Sin", "cos": "Cos", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "reciprocal": "Reciprocal",
}  # fmt: skip


#: Canonical op -> function that writes a node of it.
HANDLERS: dict[str, Handler] = {
    **{op: _binary(op.capitalize()) for op in ops.BINARY_OPS},
    **{op: _unary(name) for op, name in _NAMES.items()},
    "hsigmoid": _unary("HardSigmoid", alpha=1.0 / 6.0),
    "relu6": _relu6,
    "swish": _swish,
    "gelu": _gelu,
    "square": _square,
    "prelu": _prelu,
    "bn": _bn,
    "biasadd": _biasadd,
    "layernorm": _layernorm,
    "softmax": _softmax("Softmax"),
    "logsoftmax": _softmax("LogSoftmax"),
    "lrn": _lrn,
    **{f"reduce_{name}": _reduce(f"Reduce{name.capitalize()}") for name in ("mean", "sum", "max", "min")},
}
