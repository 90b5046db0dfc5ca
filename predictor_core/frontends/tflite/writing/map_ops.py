"""TFLite writer: elementwise ops, norms and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.tflite.writing.writer import Handler, Writer
from predictor_core.ir.graph import Node


def _binary(op: str, options: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        clamps = op in ("ADD", "SUB", "MUL", "DIV")
        activation, out = w.fused(node) if clamps else (0, node.name)
        inputs = [w[x] for x in node.inputs]
        if len(inputs) == 1:
            shape = tuple(node.attrs.get("const_shape", ()))
            other = w.weight(shape, 50) if shape else w.constant(float(node.attrs.get("const", 0.5)))
            inputs = [other, *inputs] if node.attrs.get("const_first") else [*inputs, other]
        while len(inputs) > 2:
            partial = w.temporary(node.shape)
            w.add(op, inputs[:2], [partial], options)
            inputs = [partial, *inputs[2:]]
        values = {"fusedActivationFunction": activation} if clamps else {}
        w.add(op, inputs, [w[out]], options, **values)

    return write


def _unary(op: str, options: str = "", **values: Any) -> Handler:
    def write(w: Writer, node: Node) -> None:
        w.add(op, [w[node.inputs[0]]], [w[node.name]], options, **values)

    return write


def _swish(w: Writer, node: Node) -> None:
    x, gate = w[node.inputs[0]], w.temporary(node.shape)
    w.add("LOGISTIC", [x], [gate])
    w.add("MUL", [x, gate], [w[node.name]], "MulOptions")


def _hsigmoid(w: Writer, node: Node) -> None:
    shifted = w.temporary(node.shape)
    relu6 = w.schema.ActivationFunctionType.RELU6
    inputs = [w[node.inputs[0]], w.constant(3.0)]
    w.add("ADD", inputs, [shifted], "AddOptions", fusedActivationFunction=relu6)
    w.add("MUL", [shifted, w.constant(1.0 / 6.0)], [w[node.name]], "MulOptions")


def _prelu(w: Writer, node: Node) -> None:
    w.add("PRELU", [w[node.inputs[0]], w.vector(node.shape[-1], 0.25)], [w[node.name]])


def _bn(w: Writer, node: Node) -> None:
    activation, out = w.fused(node)
    scaled = w.temporary(node.shape)
    channels = node.shape[-1]
    w.add("MUL", [w[node.inputs[0]], w.vector(channels, 1.0)], [scaled], "MulOptions")
    w.add("ADD", [scaled, w.vector(channels)], [w[out]], "AddOptions", fusedActivationFunction=activation)


def _biasadd(w: Writer, node: Node) -> None:
    activation, out = w.fused(node)
    inputs = [w[node.inputs[0]], w.vector(node.shape[-1])]
    w.add("ADD", inputs, [w[out]], "AddOptions", fusedActivationFunction=activation)


def _layernorm(w: Writer, node: Node) -> None:
    """Mean, centred, variance, scaled, gained and shifted: TFLite has no op for it."""
    axis = node.attrs.get("axis", -1) % len(node.shape)
    axes = list(range(axis, len(node.shape)))
    x, shape = w[node.inputs[0]], node.shape
    small = tuple(1 if i in axes else dim for i, dim in enumerate(shape))
    mean, centred, squares, variance, root = (w.temporary(s) for s in (small, shape, shape, small, small))
    where = w.constant(axes, np.int32)
    w.add("MEAN", [x, where], [mean], "ReducerOptions", keepDims=True)
    w.add("SUB", [x, mean], [centred], "SubOptions")
    w.add("SQUARED_DIFFERENCE", [x, mean], [squares], "SquaredDifferenceOptions")
    w.add("MEAN", [squares, where], [variance], "ReducerOptions", keepDims=True)
    w.add("RSQRT", [variance], [root])
    scaled, gained = w.temporary(shape), w.temporary(shape)
    w.add("MUL", [centred, root], [scaled], "MulOptions")
    w.add("MUL", [scaled, w.constant(np.ones(shape[axis:]))], [gained], "MulOptions")
    w.add("ADD", [gained, w.constant(np.full(shape[axis:], 0.1))], [w[node.name]], "AddOptions")


def _softmax(w: Writer, node: Node) -> None:
    if node.attrs.get("axis", -1) % len(node.shape) != len(node.shape) - 1:
        raise UnsupportedOpError(f"node {node.name!r}: a softmax over any but the last axis")
    w.add("SOFTMAX", [w[node.inputs[0]]], [w[node.name]], "SoftmaxOptions", beta=1.0)


def _reduce(op: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        rank = len(w.graph.shape(node.inputs[0]))
        axes = w.constant(sorted(axis % rank for axis in node.attrs["axes"]), np.int32)
        keep = bool(node.attrs.get("keepdims", True))
        w.add(op, [w[node.inputs[0]], axes], [w[node.name]], "ReducerOptions", keepDims=keep)

    return write


#: Canonical op -> function that writes a node of it.
HANDLERS: dict[str, Handler] = {
    "add": _binary("ADD", "AddOptions"),
    "sub": _binary("SUB", "SubOptions"),
    "mul": _binary("MUL", "MulOptions"),
    "div": _binary("DIV", "DivOptions"),
    "max": _binary("MAXIMUM", "MaximumMinimumOptions"),
    "min": _binary("MINIMUM", "MaximumMinimumOptions"),
    "relu": _unary("RELU"),
    "relu6": _unary("RELU6"),
    "hswish": _unary("HARD_SWISH", "HardSwishOptions"),
    "sigmoid": _unary("LOGISTIC"),
    "tanh": _unary("TANH"),
    "elu": _unary("ELU"),
    "gelu": _unary("GELU", "GeluOptions"),
    "leakyrelu": _unary("LEAKY_RELU", "LeakyReluOptions", alpha=0.1),
    "exp": _unary("EXP", "ExpOptions"),
    "sqrt": _unary("SQRT"),
    "rsqrt": _unary("RSQRT"),
    "abs": _unary("ABS", "AbsOptions"),
    "neg": _unary("NEG", "NegOptions"),
    "square": _unary("SQUARE", "SquareOptions"),
    "swish": _swish,
    "hsigmoid": _hsigmoid,
    "prelu": _prelu,
    "bn": _bn,
    "biasadd": _biasadd,
    "layernorm": _layernorm,
    "softmax": _softmax,
    "reduce_mean": _reduce("MEAN"),
    "reduce_sum": _reduce("SUM"),
    "reduce_max": _reduce("REDUCE_MAX"),
    "reduce_min": _reduce("REDUCE_MIN"),
}
