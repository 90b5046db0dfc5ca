"""A Graph as a TFLite model with random weights: to run what was only described.

The file is what TensorFlow's converter makes of such a network: clamping activations are parts of the ops
before them, batch norms are parts of the weights, and padding that is not TensorFlow's ``SAME`` is an op of
its own.
Weights of one size share their numbers, which keeps files small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from predictor_core.errors import UnsupportedOpError, missing_dependency
from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.passes import canonicalize
from predictor_core.ir.shapes import same_pads


def graph_to_tflite(graph: Graph, seed: int = 0) -> bytes:
    """Write a Graph as a TFLite model.

    Parameters
    ----------
    graph : Graph
        Brought to its canonical form first.
    seed : int
        Of the random weights.

    Returns
    -------
    bytes
        Content of a ``.tflite`` file, in single precision.

    Raises
    ------
    UnsupportedOpError
        For an op that has no handler here; the message names the node.
    MissingDependencyError
        Without LiteRT, whose schema this writes.
    """
    try:
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise missing_dependency("ai-edge-litert", "litert", "Writing a TFLite model") from error
    graph = canonicalize(graph)
    writer = _Writer(graph, schema, seed)
    for node in graph:
        if node.name in writer.written:
            continue
        handler = _HANDLERS.get(node.op)
        if handler is None:
            raise UnsupportedOpError(f"node {node.name!r}: op {node.op!r} can't be written as TFLite")
        handler(writer, node)
    builder = flatbuffers.Builder(2**20)
    builder.Finish(writer.model().Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _Writer:
    """What is written so far."""

    def __init__(self, graph: Graph, schema: Any, seed: int) -> None:
        self.graph = graph
        self.schema = schema
        #: Nodes that are part of the op before them.
        self.written: set[str] = set()
        self._random = np.random.default_rng(seed)
        self._tensors: list[Any] = []
        self._place: dict[str, int] = {}
        # Buffer 0 is empty by convention: of all tensors that are computed.
        self._buffers: list[Any] = [schema.BufferT()]
        self._shared: dict[tuple[str, int, float], int] = {}
        self._operators: list[Any] = []
        self._codes: dict[int, int] = {}

    def tensor(self, name: str, shape: Shape, dtype: Any = np.float32, buffer: int = 0) -> int:
        made = self.schema.TensorT()
        made.name = name
        made.shape = [int(dim) for dim in shape]
        kinds = {np.float32: self.schema.TensorType.FLOAT32, np.int32: self.schema.TensorType.INT32}
        made.type = kinds[dtype]
        made.buffer = buffer
        self._tensors.append(made)
        self._place[name] = len(self._tensors) - 1
        return len(self._tensors) - 1

    def __getitem__(self, tensor: str) -> int:
        """Index of a tensor of the Graph."""
        if tensor not in self._place:
            return self.tensor(tensor, self.graph.shape(tensor))
        return self._place[tensor]

    def constant(self, values: Any, dtype: Any = np.float32) -> int:
        array = np.ascontiguousarray(values, dtype=dtype)
        return self.tensor(f"constant/{len(self._tensors)}", array.shape, dtype, self._buffer(array))

    def weight(self, shape: Shape, fan_in: int) -> int:
        """Random weight that keeps the size of activations."""
        scale = fan_in**-0.5
        size = int(np.prod(shape))
        key = ("weight", size, scale)
        if key not in self._shared:
            numbers = self._random.standard_normal(size, dtype=np.float32) * np.float32(scale)
            self._shared[key] = self._buffer(numbers)
        return self.tensor(f"weight/{len(self._tensors)}", shape, np.float32, self._shared[key])

    def vector(self, size: int, value: float | None = None) -> int:
        """Shift of each channel; random where no value is given."""
        numbers = self._random.uniform(0.05, 0.2, size) if value is None else np.full(size, value)
        return self.constant(numbers)

    def _buffer(self, array: Any) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), dtype=np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1

    def temporary(self, shape: Shape) -> int:
        return self.tensor(f"temporary/{len(self._tensors)}", shape)

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: str = "",
        version: int = 1,
        **values: Any,
    ) -> None:
        """Add an operator; `options` names its table of options, `values` are their fields."""
        code = getattr(self.schema.BuiltinOperator, op)
        made = self.schema.OperatorT()
        made.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options:
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            made.builtinOptions = getattr(self.schema, f"{options}T")()
            for name, value in values.items():
                setattr(made.builtinOptions, name, value)
        self._operators.append(made)

    def fused(self, node: Node) -> tuple[int, str]:
        """Return the clamping activation that follows a node, and the tensor behind both."""
        readers = self.graph.consumers(node.name)
        kinds = self.schema.ActivationFunctionType
        names = {"relu": kinds.RELU, "relu6": kinds.RELU6}
        if len(readers) == 1 and readers[0].op in names and node.name not in self.graph.outputs:
            self.written.add(readers[0].name)
            return names[readers[0].op], readers[0].name
        return kinds.NONE, node.name

    def padded(self, node: Node) -> tuple[int, int]:
        """Return the input of a window op, padded where that takes an op, and the op's own padding."""
        x = node.inputs[0]
        shape = self.graph.shape(x)
        kernel, strides, dilations = (
            node.attrs["kernel"],
            node.attrs["strides"],
            node.attrs.get("dilations", (1, 1)),
        )
        top, left = node.attrs["pads"][:2]
        # What the windows reach over the end, whether the model pads there or rounds sizes up.
        reach = [
            (node.shape[1 + i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - shape[1 + i] - before
            for i, before in enumerate((top, left))
        ]
        pads = (top, left, max(reach[0], 0), max(reach[1], 0))
        padding = self.schema.Padding
        if pads == (0, 0, 0, 0):
            return self[x], padding.VALID
        if pads == same_pads(shape[1:3], kernel, strides, dilations):
            return self[x], padding.SAME
        wide = (shape[0], shape[1] + pads[0] + pads[2], shape[2] + pads[1] + pads[3], shape[3])
        out = self.temporary(wide)
        amounts = self.constant([[0, 0], [pads[0], pads[2]], [pads[1], pads[3]], [0, 0]], np.int32)
        self.add("PAD", [self[x], amounts], [out], "PadOptions")
        return out, padding.VALID

    def model(self) -> Any:
        schema = self.schema
        subgraph = schema.SubGraphT()
        subgraph.name = self.graph.name or "model"
        subgraph.tensors, subgraph.operators = self._tensors, self._operators
        subgraph.inputs = [self[name] for node in self.graph.inputs for name in node.tensors]
        subgraph.outputs = [self[name] for name in self.graph.outputs]
        codes = []
        for code in self._codes:
            made = schema.OperatorCodeT()
            made.builtinCode, made.version = code, _VERSIONS.get(code, 1)
            made.deprecatedBuiltinCode = min(code, 127)
            codes.append(made)
        model = schema.ModelT()
        model.version, model.description = 3, "nnmeter-nni"
        model.operatorCodes, model.subgraphs, model.buffers = codes, [subgraph], self._buffers
        return model


#: Versions of ops that use what their first version lacks: kept dimensions, a batched product, a gelu.
_VERSIONS = {9: 5, 126: 1}


def _input(w: _Writer, node: Node) -> None:
    for tensor in node.tensors:
        w[tensor]


def _conv(w: _Writer, node: Node) -> None:
    cin, filters = w.graph.shape(node.inputs[0])[-1], node.shape[-1]
    groups, (height, width) = node.attrs.get("groups", 1), node.attrs["kernel"]
    activation, out = w.fused(node)
    x, padding = w.padded(node)
    common = {
        "padding": padding,
        "strideH": node.attrs["strides"][0],
        "strideW": node.attrs["strides"][1],
        "dilationHFactor": node.attrs.get("dilations", (1, 1))[0],
        "dilationWFactor": node.attrs.get("dilations", (1, 1))[1],
        "fusedActivationFunction": activation,
    }
    fan_in = height * width * cin // groups
    bias = w.vector(filters, None if node.attrs.get("bias") else 0.0)
    if groups == cin and filters % cin == 0 and cin > 1:
        inputs = [x, w.weight((1, height, width, filters), fan_in), bias]
        w.add(
            "DEPTHWISE_CONV_2D",
            inputs,
            [w[out]],
            "DepthwiseConv2DOptions",
            depthMultiplier=filters // cin,
            **common,
        )
    else:
        inputs = [x, w.weight((filters, height, width, cin // groups), fan_in), bias]
        w.add("CONV_2D", inputs, [w[out]], "Conv2DOptions", **common)


def _pool(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        if len(node.outputs) > 1:
            raise UnsupportedOpError(f"node {node.name!r}: a pool with indices can't be written as TFLite")
        x, padding = w.padded(node)
        (height, width), (down, across) = node.attrs["kernel"], node.attrs["strides"]
        sizes = {"filterHeight": height, "filterWidth": width, "strideH": down, "strideW": across}
        w.add(op, [x], [w[node.name]], "Pool2DOptions", padding=padding, **sizes)

    return write


def _fc(w: _Writer, node: Node) -> None:
    x, filters = node.inputs[0], node.shape[-1]
    cin = w.graph.shape(x)[-1]
    activation, out = w.fused(node)
    inputs = [w[x], w.weight((filters, cin), cin), w.vector(filters, None if node.attrs.get("bias") else 0.0)]
    keep = len(node.shape) > 2
    w.add(
        "FULLY_CONNECTED",
        inputs,
        [w[out]],
        "FullyConnectedOptions",
        keepNumDims=keep,
        fusedActivationFunction=activation,
    )


def _matmul(w: _Writer, node: Node) -> None:
    inputs = [w[x] for x in node.inputs]
    if len(inputs) == 1:
        shape = tuple(node.attrs["const_shape"])
        constant = w.weight(shape, shape[-1])
        inputs = [constant, *inputs] if node.attrs.get("const_first") else [*inputs, constant]
    w.add("BATCH_MATMUL", inputs, [w[node.name]], "BatchMatMulOptions")


def _binary(op: str, options: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
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


def _unary(op: str, options: str = "", **values: Any) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        w.add(op, [w[node.inputs[0]]], [w[node.name]], options, **values)

    return write


def _swish(w: _Writer, node: Node) -> None:
    x, gate = w[node.inputs[0]], w.temporary(node.shape)
    w.add("LOGISTIC", [x], [gate])
    w.add("MUL", [x, gate], [w[node.name]], "MulOptions")


def _hsigmoid(w: _Writer, node: Node) -> None:
    shifted = w.temporary(node.shape)
    relu6 = w.schema.ActivationFunctionType.RELU6
    inputs = [w[node.inputs[0]], w.constant(3.0)]
    w.add("ADD", inputs, [shifted], "AddOptions", fusedActivationFunction=relu6)
    w.add("MUL", [shifted, w.constant(1.0 / 6.0)], [w[node.name]], "MulOptions")


def _prelu(w: _Writer, node: Node) -> None:
    w.add("PRELU", [w[node.inputs[0]], w.vector(node.shape[-1], 0.25)], [w[node.name]])


def _bn(w: _Writer, node: Node) -> None:
    activation, out = w.fused(node)
    scaled = w.temporary(node.shape)
    channels = node.shape[-1]
    w.add("MUL", [w[node.inputs[0]], w.vector(channels, 1.0)], [scaled], "MulOptions")
    w.add("ADD", [scaled, w.vector(channels)], [w[out]], "AddOptions", fusedActivationFunction=activation)


def _biasadd(w: _Writer, node: Node) -> None:
    activation, out = w.fused(node)
    inputs = [w[node.inputs[0]], w.vector(node.shape[-1])]
    w.add("ADD", inputs, [w[out]], "AddOptions", fusedActivationFunction=activation)


def _layernorm(w: _Writer, node: Node) -> None:
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


def _softmax(w: _Writer, node: Node) -> None:
    if node.attrs.get("axis", -1) % len(node.shape) != len(node.shape) - 1:
        raise UnsupportedOpError(f"node {node.name!r}: a softmax over any but the last axis")
    w.add("SOFTMAX", [w[node.inputs[0]]], [w[node.name]], "SoftmaxOptions", beta=1.0)


def _reduce(op: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        rank = len(w.graph.shape(node.inputs[0]))
        axes = w.constant(sorted(axis % rank for axis in node.attrs["axes"]), np.int32)
        keep = bool(node.attrs.get("keepdims", True))
        w.add(op, [w[node.inputs[0]], axes], [w[node.name]], "ReducerOptions", keepDims=keep)

    return write


def _concat(w: _Writer, node: Node) -> None:
    axis = node.attrs["axis"] % len(node.shape)
    inputs = [w[x] for x in node.inputs]
    # What no input fills is a constant, such as the class token of a transformer.
    rest = node.shape[axis] - sum(w.graph.shape(x)[axis] for x in node.inputs)
    if rest > 0:
        inputs.insert(0, w.weight((*node.shape[:axis], rest, *node.shape[axis + 1 :]), 50))
    w.add("CONCATENATION", inputs, [w[node.name]], "ConcatenationOptions", axis=axis)


def _split(w: _Writer, node: Node) -> None:
    axis = node.attrs["axis"] % len(w.graph.shape(node.inputs[0]))
    sizes = w.constant(node.attrs["sizes"], np.int32)
    outputs = [w[tensor] for tensor in node.tensors]
    where = w.constant(axis, np.int32)
    if len(set(node.attrs["sizes"])) == 1:
        w.add("SPLIT", [where, w[node.inputs[0]]], outputs, "SplitOptions", numSplits=len(outputs))
    else:
        w.add("SPLIT_V", [w[node.inputs[0]], sizes, where], outputs, "SplitVOptions", numSplits=len(outputs))


def _slice(w: _Writer, node: Node) -> None:
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


def _pad(w: _Writer, node: Node) -> None:
    amounts = w.constant([list(pair) for pair in node.attrs["pads"]], np.int32)
    w.add("PAD", [w[node.inputs[0]], amounts], [w[node.name]], "PadOptions")


def _resize(w: _Writer, node: Node) -> None:
    nearest = node.attrs.get("mode", "nearest") == "nearest"
    op, options = (
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions")
        if nearest
        else ("RESIZE_BILINEAR", "ResizeBilinearOptions")
    )
    w.add(op, [w[node.inputs[0]], w.constant(node.shape[1:3], np.int32)], [w[node.name]], options)


def _reshape(w: _Writer, node: Node) -> None:
    _reshaped(w, w[node.inputs[0]], w[node.name], node.shape)


def _reshaped(w: _Writer, source: int, target: int, shape: Shape) -> None:
    w.add("RESHAPE", [source, w.constant(shape, np.int32)], [target], "ReshapeOptions", newShape=list(shape))


def _transpose(w: _Writer, node: Node) -> None:
    perm = w.constant(node.attrs["perm"], np.int32)
    w.add("TRANSPOSE", [w[node.inputs[0]], perm], [w[node.name]], "TransposeOptions")


def _gather(w: _Writer, node: Node) -> None:
    shape, axis = w.graph.shape(node.inputs[0]), node.attrs.get("axis", 0)
    axis %= len(shape)
    if len(node.inputs) > 1 or node.shape != shape[:axis] + shape[axis + 1 :]:
        raise UnsupportedOpError(f"node {node.name!r}: only the choice of one index can be written as TFLite")
    inputs = [w[node.inputs[0]], w.constant(0, np.int32)]
    w.add("GATHER", inputs, [w[node.name]], "GatherOptions", axis=axis)


def _channelshuffle(w: _Writer, node: Node) -> None:
    n, height, width, channels = node.shape
    groups = node.attrs["groups"]
    split = w.temporary((n, height, width, groups, channels // groups))
    mixed = w.temporary((n, height, width, channels // groups, groups))
    _reshaped(w, w[node.inputs[0]], split, (n, height, width, groups, channels // groups))
    w.add("TRANSPOSE", [split, w.constant((0, 1, 2, 4, 3), np.int32)], [mixed], "TransposeOptions")
    _reshaped(w, mixed, w[node.name], node.shape)


def _blocks(op: str, options: str) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        w.add(op, [w[node.inputs[0]]], [w[node.name]], options, blockSize=node.attrs["block"])

    return write


_HANDLERS: dict[str, Callable[[_Writer, Node], None]] = {
    "input": _input,
    "conv": _conv,
    "dwconv": _conv,
    "fc": _fc,
    "matmul": _matmul,
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
    "maxpool": _pool("MAX_POOL_2D"),
    "avgpool": _pool("AVERAGE_POOL_2D"),
    "reduce_mean": _reduce("MEAN"),
    "reduce_sum": _reduce("SUM"),
    "reduce_max": _reduce("REDUCE_MAX"),
    "reduce_min": _reduce("REDUCE_MIN"),
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
