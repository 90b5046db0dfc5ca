"""A Graph as an ONNX model with random weights: to run what was only described.

Images (tensors that convolutions and pools read) are channels first in the file, everything else is as in the
Graph. A large weight is written as the product of two small random ones, which every runtime computes once
when it loads the model; so the file of a large model is small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from predictor_core.errors import UnsupportedOpError, missing_dependency
from predictor_core.ir import ops
from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.passes import canonicalize
from predictor_core.ir.shapes import window

#: Opset and IR version: the first with layer normalisation as one op, and what runtimes of that time read.
OPSET, IR_VERSION = 17, 8
#: Weights with more elements are written as a product.
_WHOLE = 4096
_FIRST, _LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def graph_to_onnx(graph: Graph, seed: int = 0) -> Any:
    """Write a Graph as an ONNX model.

    Parameters
    ----------
    graph : Graph
        Brought to its canonical form first.
    seed : int
        Of the random weights.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    UnsupportedOpError
        For an op that has no handler here; the message names the node.
    MissingDependencyError
        Without onnx.
    """
    try:
        import onnx
    except ImportError as error:
        raise missing_dependency("onnx", "onnx", "Writing an ONNX model") from error
    graph = canonicalize(graph)
    writer = _Writer(graph, seed)
    for node in graph:
        handler = _HANDLERS.get(node.op)
        if handler is None:
            raise UnsupportedOpError(f"node {node.name!r}: op {node.op!r} can't be written as ONNX")
        handler(writer, node)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            writer.nodes,
            graph.name or "model",
            [writer.info(name) for node in graph.inputs for name in node.tensors],
            [writer.info(tensor) for tensor in graph.outputs],
            writer.weights,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nnmeter-nni",
    )
    return model


class _Writer:
    """What is written so far, and which tensors are images."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.images: set[str] = set()
        self._random = np.random.default_rng(seed)
        self._count = 0

    def unique(self, stem: str) -> str:
        self._count += 1
        return f"{stem}/{self._count}"

    def add(self, op: str, inputs: Sequence[str], outputs: str | Sequence[str] = "", **attrs: Any) -> str:
        """Add an ONNX node; returns its first output."""
        from onnx import helper

        names = [outputs or self.unique(op)] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attrs))
        return names[0]

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        from onnx import numpy_helper

        name = self.unique("constant")
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def weight(self, shape: Shape, fan_in: int, axis: int = 0) -> str:
        """Random weight that keeps the size of activations; a large one varies along `axis` by a factor."""
        scale = fan_in**-0.5
        if prod(shape) <= _WHOLE or shape[axis] == 1:
            return self.constant(scale * self._random.standard_normal(shape))
        one = [dim if i == axis else 1 for i, dim in enumerate(shape)]
        other = [1 if i == axis else dim for i, dim in enumerate(shape)]
        factors = self.constant(self._random.uniform(0.5, 1.5, one) * self._random.choice((-1.0, 1.0), one))
        return self.add("Mul", [factors, self.constant(scale * self._random.standard_normal(other))])

    def vector(self, size: int) -> str:
        return self.constant(self._random.uniform(0.05, 0.2, size))

    def image(self, tensor: str) -> str:
        """Return a tensor channels first."""
        if tensor in self.images or len(self.graph.shape(tensor)) != 4:
            return tensor
        return self.add("Transpose", [tensor], perm=_FIRST)

    def plain(self, tensor: str) -> str:
        """Return a tensor as it is in the Graph."""
        return self.add("Transpose", [tensor], perm=_LAST) if tensor in self.images else tensor

    def stored(self, tensor: str, shape: Shape | None = None) -> Shape:
        """Shape of a tensor in the file (or of another of the same layout)."""
        shape = self.graph.shape(tensor) if shape is None else shape
        return tuple(shape[i] for i in _FIRST) if tensor in self.images else shape

    def axis(self, tensor: str, axis: int) -> int:
        axis %= len(self.graph.shape(tensor))
        return _FIRST.index(axis) if tensor in self.images else axis

    def info(self, tensor: str) -> Any:
        from onnx import TensorProto, helper

        return helper.make_tensor_value_info(tensor, TensorProto.FLOAT, self.stored(tensor))

    def like_input(self, node: Node) -> str:
        """Return the first input of a node whose outputs have the layout of that input."""
        if node.inputs[0] in self.images:
            self.images.update(node.tensors)
        return node.inputs[0]


def _input(w: _Writer, node: Node) -> None:
    if len(node.shape) == 4:
        w.images.add(node.name)


def _conv(w: _Writer, node: Node) -> None:
    x = node.inputs[0]
    cin, filters = w.graph.shape(x)[-1], node.shape[-1]
    groups, kernel = node.attrs.get("groups", 1), tuple(node.attrs["kernel"])
    shape = (filters, cin // groups, *kernel)
    inputs = [w.image(x), w.weight(shape, prod(shape[1:]))]
    if node.attrs.get("bias"):
        inputs.append(w.vector(filters))
    w.images.add(node.name)
    w.add(
        "Conv",
        inputs,
        node.name,
        group=groups,
        dilations=node.attrs.get("dilations", (1, 1)),
        **_window(node),
    )


def _convtranspose(w: _Writer, node: Node) -> None:
    x = node.inputs[0]
    cin, filters = w.graph.shape(x)[-1], node.shape[-1]
    groups, kernel = node.attrs.get("groups", 1), tuple(node.attrs["kernel"])
    inputs = [w.image(x), w.weight((cin, filters // groups, *kernel), cin * prod(kernel) // groups)]
    if node.attrs.get("bias"):
        inputs.append(w.vector(filters))
    w.images.add(node.name)
    attrs = {"group": groups, "dilations": node.attrs.get("dilations", (1, 1)), **_window(node)}
    w.add(
        "ConvTranspose", inputs, node.name, output_padding=node.attrs.get("output_padding", (0, 0)), **attrs
    )


def _window(node: Node) -> dict[str, Any]:
    return {
        "kernel_shape": node.attrs["kernel"],
        "strides": node.attrs["strides"],
        "pads": node.attrs["pads"],
    }


def _pool(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        if len(node.outputs) > 1:
            raise UnsupportedOpError(f"node {node.name!r}: a pool with indices can't be written as ONNX")
        w.images.add(node.name)
        # Where the window does not divide the map, its shape tells whether the last, partial one counts.
        sizes = w.graph.shape(node.inputs[0])[1:3]
        floor = window(sizes, *(node.attrs[key] for key in ("kernel", "strides", "pads")))
        ceil_mode = int(node.shape[1:3] != floor)
        w.add(op, [w.image(node.inputs[0])], node.name, ceil_mode=ceil_mode, **_window(node))

    return write


def _fc(w: _Writer, node: Node) -> None:
    x, filters = node.inputs[0], node.shape[-1]
    cin = w.graph.shape(x)[-1]
    bias = bool(node.attrs.get("bias"))
    if len(node.shape) == 2:
        inputs = [x, w.weight((filters, cin), cin)] + ([w.vector(filters)] if bias else [])
        w.add("Gemm", inputs, node.name, transB=1)
        return
    product = w.add("MatMul", [w.plain(x), w.weight((cin, filters), cin, axis=1)], "" if bias else node.name)
    if bias:
        w.add("Add", [product, w.vector(filters)], node.name)


def _matmul(w: _Writer, node: Node) -> None:
    inputs = [w.plain(x) for x in node.inputs]
    if len(inputs) == 1:
        shape = tuple(node.attrs["const_shape"])
        constant = w.weight(shape, shape[-1], axis=len(shape) - 1)
        inputs = [constant, *inputs] if node.attrs.get("const_first") else [*inputs, constant]
    w.add("MatMul", inputs, node.name)


def _binary(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
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


def _as_image(w: _Writer, x: str) -> str:
    if len(w.graph.shape(x)) == 1:
        return w.add("Reshape", [x, w.ints(1, w.graph.shape(x)[0], 1, 1)])
    return w.image(x)


def _operand(w: _Writer, node: Node, image: bool) -> str:
    if "const" in node.attrs:
        return w.constant(float(node.attrs["const"]))
    shape = tuple(node.attrs.get("const_shape", ()))
    if image and shape:
        shape = (1,) * (4 - len(shape)) + shape
        shape = tuple(shape[i] for i in _FIRST)
    return w.weight(shape, 50, axis=len(shape) - 1) if shape else w.constant(0.5)


def _unary(op: str, **attrs: Any) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        w.add(op, [w.like_input(node)], node.name, **attrs)

    return write


def _relu6(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Clip", [x, w.constant(0.0), w.constant(6.0)], node.name)


def _swish(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Mul", [x, w.add("Sigmoid", [x])], node.name)


def _gelu(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    erf = w.add("Erf", [w.add("Div", [x, w.constant(2.0**0.5)])])
    product = w.add("Mul", [x, w.add("Add", [erf, w.constant(1.0)])])
    w.add("Mul", [product, w.constant(0.5)], node.name)


def _square(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Mul", [x, x], node.name)


def _prelu(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    channels = node.shape[-1]
    w.add("PRelu", [x, w.constant(np.full((channels, 1, 1) if x in w.images else channels, 0.25))], node.name)


def _bn(w: _Writer, node: Node) -> None:
    x, channels = node.inputs[0], node.shape[-1]
    w.images.update((node.name,) if len(node.shape) == 4 else ())
    if len(node.shape) not in (2, 4):
        raise UnsupportedOpError(f"node {node.name!r}: a batch norm of rank {len(node.shape)}")
    ones = [w.constant(np.ones(channels)) for _ in range(2)]
    inputs = [w.image(x), ones[0], w.vector(channels), w.vector(channels), ones[1]]
    w.add("BatchNormalization", inputs, node.name)


def _biasadd(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    channels = node.shape[-1]
    shift = w.constant(np.full((channels, 1, 1) if x in w.images else channels, 0.1))
    w.add("Add", [x, shift], node.name)


def _layernorm(w: _Writer, node: Node) -> None:
    axis = node.attrs.get("axis", -1) % len(node.shape)
    inputs = [w.plain(node.inputs[0]), *(w.constant(np.full(node.shape[axis:], v)) for v in (1.0, 0.1))]
    w.add("LayerNormalization", inputs, node.name, axis=axis)


def _softmax(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        w.add(op, [w.plain(node.inputs[0])], node.name, axis=node.attrs.get("axis", -1))

    return write


def _lrn(w: _Writer, node: Node) -> None:
    w.images.add(node.name)
    w.add("LRN", [w.image(node.inputs[0])], node.name, size=int(node.attrs.get("size", 5)))


def _reduce(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
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


def _concat(w: _Writer, node: Node) -> None:
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


def _split(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    w.add("Split", [x, w.ints(*node.attrs["sizes"])], node.tensors, axis=w.axis(x, node.attrs["axis"]))


def _slice(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    axes = [axis % len(node.shape) for axis in node.attrs["axes"]]
    starts, steps = node.attrs["starts"], node.attrs.get("steps", (1,) * len(axes))
    if any(step < 1 for step in steps):
        raise UnsupportedOpError(f"node {node.name!r}: a slice that goes backwards can't be written as ONNX")
    ends = [start + (node.shape[axis] - 1) * step + 1 for axis, start, step in zip(axes, starts, steps)]
    stored = [w.axis(x, axis) for axis in axes]
    w.add("Slice", [x, w.ints(*starts), w.ints(*ends), w.ints(*stored), w.ints(*steps)], node.name)


def _pad(w: _Writer, node: Node) -> None:
    x = w.like_input(node)
    pads = [tuple(pair) for pair in node.attrs["pads"]]
    ordered = [pads[i] for i in _FIRST] if x in w.images else pads
    w.add("Pad", [x, w.ints(*(b for b, _ in ordered), *(a for _, a in ordered))], node.name)


def _resize(w: _Writer, node: Node) -> None:
    w.images.add(node.name)
    mode = "nearest" if node.attrs.get("mode", "nearest") == "nearest" else "linear"
    sizes = w.ints(*w.stored(node.name))
    w.add("Resize", [w.image(node.inputs[0]), "", "", sizes], node.name, mode=mode)


def _reshape(w: _Writer, node: Node) -> None:
    x, target = node.inputs[0], node.shape
    shape = w.graph.shape(x)
    # Where only one dimension is not 1, and in front of random weights, the order of elements is the same.
    if len(target) == 4 and target[1:3] == (1, 1):
        w.images.add(node.name)
    flat = len(target) == 2 and target[0] == shape[0]
    source = x if flat or sum(dim > 1 for dim in shape[1:]) <= 1 else w.plain(x)
    w.add("Reshape", [source, w.ints(*w.stored(node.name))], node.name)


def _transpose(w: _Writer, node: Node) -> None:
    x = node.inputs[0]
    perm = [_FIRST.index(axis) for axis in node.attrs["perm"]] if x in w.images else list(node.attrs["perm"])
    if perm == sorted(perm):
        w.add("Identity", [x], node.name)
    else:
        w.add("Transpose", [x], node.name, perm=perm)


def _gather(w: _Writer, node: Node) -> None:
    x, axis = w.plain(node.inputs[0]), node.attrs.get("axis", 0)
    shape = w.graph.shape(node.inputs[0])
    axis %= len(shape)
    if len(node.inputs) > 1 or node.shape != shape[:axis] + shape[axis + 1 :]:
        raise UnsupportedOpError(f"node {node.name!r}: only the choice of one index can be written as ONNX")
    w.add("Gather", [x, w.constant(0, np.int64)], node.name, axis=axis)


def _channelshuffle(w: _Writer, node: Node) -> None:
    w.images.add(node.name)
    n, height, width, channels = node.shape
    groups = node.attrs["groups"]
    split = w.add("Reshape", [w.image(node.inputs[0]), w.ints(n, groups, channels // groups, height, width)])
    mixed = w.add("Transpose", [split], perm=(0, 2, 1, 3, 4))
    w.add("Reshape", [mixed, w.ints(n, channels, height, width)], node.name)


def _blocks(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        w.images.add(node.name)
        w.add(op, [w.image(node.inputs[0])], node.name, blocksize=node.attrs["block"])

    return write


_NAMES = {
    "hswish": "HardSwish", "sigmoid": "Sigmoid", "tanh": "Tanh", "leakyrelu": "LeakyRelu", "elu": "Elu",
    "selu": "Selu", "softplus": "Softplus", "relu": "Relu", "abs": "Abs", "neg": "Neg", "exp": "Exp",
    "log": "Log", "sqrt": "Sqrt", "erf": "Erf", "sin": "Sin", "cos": "Cos", "floor": "Floor", "ceil": "Ceil",
    "round": "Round", "reciprocal": "Reciprocal",
}  # fmt: skip

_HANDLERS: dict[str, Callable[[_Writer, Node], None]] = {
    "input": _input,
    "conv": _conv,
    "dwconv": _conv,
    "convtranspose": _convtranspose,
    "fc": _fc,
    "matmul": _matmul,
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
    "maxpool": _pool("MaxPool"),
    "avgpool": _pool("AveragePool"),
    **{f"reduce_{name}": _reduce(f"Reduce{name.capitalize()}") for name in ("mean", "sum", "max", "min")},
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
