"""Converters: one per kind of node type in an nn-Meter IR document, all ``(op, source) -> Converted``.

`TYPES` maps each type name, TensorFlow's, ONNX's or a canonical op, to its op and converter.
Output shapes are inferred; what a document states is used only where nothing can be inferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.ir import ops, shapes
from predictor_core.ir.graph import Shape
from predictor_core.ir.nnmeter_ir.source import Converted, Source, flat_ints, padding_of, pair, slide

Converter = Callable[[str, Source], Converted]

_NO_ATTRS: Mapping[str, Any] = MappingProxyType({})

#: Attributes of source formats that say nothing about cost.
_IGNORED = frozenset(
    {"data_format", "T", "epsilon", "momentum", "is_training", "training_mode", "spatial", "input_slots", "bias_attr"}
)


def _attributes(source: Source) -> Mapping[str, Any]:
    if not source.attrs:
        return _NO_ATTRS
    return {key: _frozen(value) for key, value in source.attrs.items() if key not in _IGNORED}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _elementwise(op: str, source: Source) -> Converted:
    return op, _attributes(source), source.inputs[:1]


def _bare(op: str, source: Source) -> Converted:
    return op, _NO_ATTRS, source.inputs[:1]


def _stated(op: str, source: Source) -> Converted:
    attrs = _attributes(source)
    if source.inputs:
        try:
            inferred = shapes.infer(op, attrs, source.inputs)
        except GraphError:
            inferred = None
        if inferred is not None:
            return op, attrs, inferred
    return op, attrs, source.stated_shapes()


def _conv(op: str, source: Source) -> Converted:
    shape = source.inputs[0]
    if len(shape) != 4:
        return _stated("conv3d" if len(shape) == 5 else source.type, source)
    attrs = source.attrs
    batch, height, width, channels = shape
    weight = attrs.get("weight_shape")
    kernel = _kernel(source, weight)
    strides = pair(attrs.get("strides", 1))
    dilations = pair(attrs.get("dilations", attrs.get("dilation", 1)))
    groups = source.first("group", "groups") or 1
    depthwise = op == "dwconv"
    if depthwise:
        groups = channels
    if weight:
        if depthwise:
            filters = weight[-2] * weight[-1]
            expected = weight[-2]
        else:
            filters = weight[-1]
            if groups == 1 and weight[-2] != channels and weight[-2] > 0 and channels % weight[-2] == 0:
                groups = channels // weight[-2]
            expected = weight[-2] * groups
        if expected != channels:
            raise GraphError(
                f"its weights {list(weight)} take {expected} channels, but its input is {list(shape)} (channels last)"
            )
    else:
        filters = source.first("out_channels", "filters", "cout") or source.stated_channels()
        if filters is None:
            if not depthwise:
                raise ModelFormatError("it states neither weight_shape nor output_shape, so its channels are unknown")
            filters = channels
    if groups < 1 or channels % groups or filters % groups:
        raise GraphError(f"{groups} groups do not divide {channels} input and {filters} output channels")
    pads, out = slide((height, width), kernel, strides, dilations, padding_of(attrs), False)
    converted = {
        "kernel": kernel,
        "strides": strides,
        "pads": pads,
        "dilations": dilations,
        "groups": groups,
        "bias": bool(attrs.get("bias", source.type == "Conv")),
    }
    op = "dwconv" if groups == channels > 1 else "conv"
    return op, converted, ((batch, *out, filters),)


def _kernel(source: Source, weight: Any) -> tuple[int, int]:
    value = source.first("kernel_shape", "ksize", "ks", "kernel_size", "kernel")
    if value is None:
        if not weight:
            raise ModelFormatError("it has no kernel size (kernel_shape, ksize, ks or weight_shape)")
        return weight[0], weight[1]
    return pair(value)


def _conv_transpose(op: str, source: Source) -> Converted:
    shape = source.inputs[0]
    if len(shape) != 4:
        return _stated(source.type, source)
    attrs = source.attrs
    weight = attrs.get("weight_shape")
    kernel = _kernel(source, weight)
    strides = pair(attrs.get("strides", 1))
    dilations = pair(attrs.get("dilations", 1))
    groups = source.first("group", "groups") or 1
    filters = (weight[2] * groups if weight else None) or source.first("out_channels", "filters")
    filters = filters or source.stated_channels()
    if filters is None:
        raise ModelFormatError("it states neither weight_shape nor output_shape, so its channels are unknown")
    padding = padding_of(attrs)
    if isinstance(padding, str):
        size = tuple(n * s for n, s in zip(shape[1:3], strides))
        span = [max((k - 1) * d + 1 - s, 0) for k, d, s in zip(kernel, dilations, strides)]
        pads = (0, 0, 0, 0) if padding == "VALID" else (span[0] // 2, span[1] // 2, -(-span[0] // 2), -(-span[1] // 2))
        if padding == "VALID":
            size = (size[0] + span[0], size[1] + span[1])
    else:
        pads = (padding[0], padding[1], padding[2], padding[3])
        bare = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations, "filters": filters}
        bare["output_padding"] = pair(attrs.get("output_padding", 0))
        shape_out = shapes.infer("convtranspose", bare, source.inputs)
        assert shape_out is not None
        size = shape_out[0][1:3]
        if "output_padding" not in attrs and source.stated:
            stated = source.stated_shapes()[0]
            if len(stated) == 4 and all(0 <= s - n < step for s, n, step in zip(stated[1:3], size, strides)):
                size = stated[1:3]
    converted = {
        "kernel": kernel,
        "strides": strides,
        "pads": pads,
        "dilations": dilations,
        "groups": groups,
        "bias": bool(attrs.get("bias", source.type == "ConvTranspose")),
    }
    if "output_padding" in attrs:
        converted["output_padding"] = pair(attrs["output_padding"])
    return op, converted, ((shape[0], *size, filters),)


def _pool(op: str, source: Source) -> Converted:
    shape = source.inputs[0]
    if len(shape) != 4:
        return _stated(source.type, source)
    attrs = source.attrs
    kernel = _kernel(source, None)
    strides = pair(source.first("strides", "stride") or 1)
    padding = padding_of(attrs)
    size = (shape[1], shape[2])
    if kernel == size and padding in ("VALID", (0, 0, 0, 0)):
        return _global_pool("reduce_mean" if op == "avgpool" else "reduce_max", source)
    ceil_mode = bool(attrs.get("ceil_mode"))
    pads, out = slide(size, kernel, strides, (1, 1), padding, ceil_mode)
    if not ceil_mode and not isinstance(padding, str) and source.stated:
        # Documents lose ceil_mode; the stated size tells it.
        upper = slide(size, kernel, strides, (1, 1), padding, True)[1]
        if upper != out and tuple(source.stated[0][1:3]) == upper:
            out = upper
    return op, {"kernel": kernel, "strides": strides, "pads": pads}, ((shape[0], *out, shape[3]),)


def _global_pool(op: str, source: Source) -> Converted:
    batch, _, _, channels = source.inputs[0]
    return op, {"axes": (1, 2), "keepdims": True}, ((batch, 1, 1, channels),)


def _reduce(op: str, source: Source) -> Converted:
    shape = source.inputs[0]
    rank = len(shape)
    axes = source.first("reduction_indices", "axes", "axis", "dim")
    if axes is None and source.constants:
        axes = source.constants[0][1]
    onnx = source.type.startswith("Reduce")
    if axes is None:
        # Documents of ONNX models lose axes that are inputs; what such models reduce is the image.
        axes = (1, 2) if rank == 4 else range(rank)
        onnx = False
    positions = tuple(sorted(source.axis(axis, rank, onnx) for axis in flat_ints(axes)))
    keepdims = source.first("keepdims", "keep_dims")
    if keepdims is None:
        keepdims = onnx
        if source.stated:
            keepdims = len(source.stated[0]) == rank
    if keepdims:
        out = tuple([1 if i in positions else dim for i, dim in enumerate(shape)])
    else:
        out = tuple([dim for i, dim in enumerate(shape) if i not in positions])
    return op, {"axes": positions, "keepdims": bool(keepdims)}, (out,)


def _fc(op: str, source: Source) -> Converted:
    inputs = source.inputs
    if len(inputs) > 1 and source.type == "MatMul":
        return _matmul("matmul", source)
    attrs = source.attrs
    weight = attrs.get("weight_shape")
    filters = source.first("out_features", "filters", "cout") or (weight[-1] if weight else source.stated_channels())
    if not filters:
        raise ModelFormatError("it states neither weight_shape nor output_shape, so its width is unknown")
    shape = inputs[0]
    if weight and len(weight) == 2 and weight[0] != shape[-1]:
        raise GraphError(f"its weights {list(weight)} take {weight[0]} features, but its input is {list(shape)}")
    bias = bool(attrs.get("bias", source.type in ("Gemm", "Linear", "fc")))
    return op, {"bias": bias}, ((*shape[:-1], filters),)


def _matmul(op: str, source: Source) -> Converted:
    left, right = source.inputs[:2]
    converted = {}
    for key, spellings in (
        ("transpose_a", ("transpose_a", "adj_x")),
        ("transpose_b", ("transpose_b", "adj_y")),
    ):
        if source.first(*spellings):
            converted[key] = True
    if "transpose_a" in converted:
        left = (*left[:-2], left[-1], left[-2])
    if "transpose_b" in converted:
        right = (*right[:-2], right[-1], right[-2])
    out = shapes.infer("matmul", {}, (left, right))
    assert out is not None
    return op, converted, out


def _binary(op: str, source: Source) -> Converted:
    inputs = source.inputs
    if len(inputs) >= 2:
        out = inputs[0]
        for other in inputs[1:]:
            if other != out:
                out = shapes.broadcast(out, other)
        return op, _NO_ATTRS, (out,)
    shape = inputs[0]
    attrs = source.attrs
    const_shape: Shape = tuple(attrs.get("const_shape", ()))
    value = attrs.get("const")
    if source.constants:
        const_shape, value = source.constants[0]
    converted: dict[str, Any] = {}
    if isinstance(value, (int, float)):
        converted["const"] = float(value)
    else:
        converted["const_shape"] = const_shape
        shape = shapes.broadcast(shape, const_shape)
    if source.constant_first and op in ("sub", "div", "pow"):
        converted["const_first"] = True
    return op, converted, (shape,)


def _sum(op: str, source: Source) -> Converted:
    """TensorFlow's Sum reduces, ONNX's adds its inputs."""
    if source.first("reduction_indices", "keep_dims") is not None or source.constants:
        return _reduce("reduce_sum", source)
    return _binary(op, source)


def _concat(op: str, source: Source) -> Converted:
    inputs = source.inputs
    rank = len(inputs[0])
    axis = source.first("axis", "dim", "concat_dim")
    if axis is None and source.constants:
        axis = source.constants[-1][1]
    if axis is None:
        axis = rank - 1
        onnx = False
    else:
        (axis,) = flat_ints(axis)
        onnx = source.type == "Concat" and source.channels_first()
    position = source.axis(axis, rank, onnx)
    try:
        out = shapes.infer(op, {"axis": position}, inputs)
    except GraphError:
        if not onnx:
            raise
        # Some documents with ONNX type names write axes channels last, as their shapes.
        position = source.axis(axis, rank, False)
        out = shapes.infer(op, {"axis": position}, inputs)
    assert out is not None
    return op, {"axis": position}, out


def _split(op: str, source: Source) -> Converted:
    shape = source.inputs[0]
    rank = len(shape)
    axis = source.first("split_dim", "axis", "dim")
    if axis is None:
        axis = source.constants[0][1] if source.constants else rank - 1
        position = source.axis(*flat_ints(axis), rank, False)
    else:
        (axis,) = flat_ints(axis)
        position = source.axis(axis, rank, False if "split_dim" in source.attrs else None)
    sizes = source.first("sizes", "split", "size_splits")
    if sizes is None:
        count = source.first("num_split", "num_outputs") or len(source.stated_shapes())
        if count < 1 or shape[position] % count:
            stated = [out[position] for out in source.stated_shapes()]
            if sum(stated) != shape[position]:
                raise GraphError(f"can't split axis {position} of {list(shape)} into {count}")
            sizes = stated
        else:
            stated = [out[position] for out in source.stated_shapes()] if source.stated else []
            sizes = stated if sum(stated) == shape[position] and stated else [shape[position] // count] * count
    converted = {"axis": position, "sizes": tuple(sizes)}
    out = shapes.infer(op, converted, source.inputs)
    assert out is not None
    return op, converted, out


def _slice(op: str, source: Source) -> Converted:
    stated = source.stated_shapes()
    if len(stated) > 1:
        # Slices of one tensor, merged into one node with several outputs.
        shape = source.inputs[0]
        for axis in range(len(shape)):
            sizes = tuple(out[axis] for out in stated)
            if sum(sizes) == shape[axis]:
                return "split", {"axis": axis, "sizes": sizes}, stated
    return op, _attributes(source), stated


def _reshape(op: str, source: Source) -> Converted:
    elements = prod(source.inputs[0])
    candidates: list[Any] = []
    target = source.attrs.get("shape")
    if target is None and source.constants:
        target = source.constants[-1][1]
    if isinstance(target, (list, tuple)):
        candidates.append(target)
        if len(target) and target[0] != -1:
            candidates.append((-1, *target[1:]))
    if source.stated:
        stated = tuple(source.stated[0])
        candidates += [stated, (-1, *stated[1:])]
    for candidate in candidates:
        try:
            return op, _NO_ATTRS, (shapes.resolve_reshape(candidate, elements),)
        except (GraphError, TypeError):
            continue
    if source.type == "Flatten":
        return op, _NO_ATTRS, ((source.inputs[0][0], elements // source.inputs[0][0]),)
    raise GraphError(f"can't reshape {list(source.inputs[0])} to {target or source.stated}")


def _transpose(op: str, source: Source) -> Converted:
    shape = source.inputs[0]
    perm = source.attrs.get("perm")
    if perm is None and source.constants:
        perm = source.constants[0][1]
    if perm is None:
        perm = range(len(shape))[::-1]
    perm = tuple(perm)
    if sorted(perm) != list(range(len(shape))):
        raise GraphError(f"perm {list(perm)} does not permute the dimensions of {list(shape)}")
    if len(shape) == 4 and source.channels_first():
        last_to_first = (0, 2, 3, 1)
        perm = tuple(source.axis(perm[axis], 4) for axis in last_to_first)
    return op, {"perm": perm}, (tuple(shape[axis] for axis in perm),)


def _pad(op: str, source: Source) -> Converted:
    shape = source.inputs[0]
    rank = len(shape)
    pads: Any = source.first("paddings", "pads")
    if pads is None and source.constants:
        pads = source.constants[0][1]
    if pads is None:
        stated = source.stated_shapes()[0]
        amounts = [(total - total // 2, total // 2) for total in (b - a for a, b in zip(shape, stated))]
        pairs = [(after, before) for before, after in amounts]
    elif isinstance(pads[0], (list, tuple)):
        pairs = [(before, after) for before, after in pads]
    elif source.attrs.get("pads") is not None:
        pairs = list(zip(pads[:rank], pads[rank:]))
        if rank == 4:
            pairs = [pairs[0], pairs[2], pairs[3], pairs[1]]
    else:
        pairs = list(zip(pads[::2], pads[1::2]))
    if len(pairs) != rank:
        raise GraphError(f"{len(pairs)} pairs of pads for a tensor of rank {rank}")
    converted = {"pads": tuple((int(before), int(after)) for before, after in pairs)}
    out = shapes.infer(op, converted, source.inputs)
    assert out is not None
    return op, converted, out


def _axis_op(op: str, source: Source) -> Converted:
    attrs = dict(_attributes(source))
    axis = attrs.pop("softmax_dim", attrs.pop("dim", attrs.pop("axis", -1)))
    attrs["axis"] = source.axis(axis, len(source.inputs[0]))
    return op, attrs, source.inputs[:1]


def _clip(op: str, source: Source) -> Converted:
    low, high = source.first("min"), source.first("max")
    if low is None and high is None:
        # Documents of ONNX models lose bounds that are inputs; in practice they are those of relu6.
        return "relu6", _NO_ATTRS, source.inputs[:1]
    return op, {"min": low, "max": high}, source.inputs[:1]


def _table() -> dict[str, tuple[str, Converter]]:
    table: dict[str, tuple[str, Converter]] = {}

    def add(op: str, converter: Converter, *types: str) -> None:
        for name in (op, *types):
            table[name] = (op, converter)

    for op, types in {
        "relu": "Relu ReLU",
        "relu6": "Relu6 ReLU6",
        "sigmoid": "Sigmoid Logistic",
        "hswish": "HardSwish Hardswish",
        "hsigmoid": "HardSigmoid Hardsigmoid hardsigmoid",
        "swish": "Swish SiLU Silu",
        "tanh": "Tanh",
        "bn": "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 BatchNormalization BatchNorm2d BatchNorm",
        "biasadd": "BiasAdd Biasadd",
        "identity": "Identity StopGradient",
        "dropout": "Dropout",
        "cast": "Cast",
        "gelu": "Gelu GELU",
        "mish": "Mish",
        "softplus": "Softplus",
        "selu": "Selu",
    }.items():
        add(op, _bare, *types.split())
    for op, types in {
        "leakyrelu": "LeakyRelu LeakyReLU",
        "prelu": "PRelu PReLU",
        "elu": "Elu ELU",
        "layernorm": "LayerNormalization LayerNorm",
        "rmsnorm": "RMSNormalization RMSNorm",
        "groupnorm": "GroupNormalization GroupNorm",
        "instancenorm": "InstanceNormalization InstanceNorm",
        "l2norm": "L2Normalization LpNormalization",
        "lrn": "LRN",
        "abs": "Abs",
        "neg": "Neg",
        "exp": "Exp",
        "log": "Log",
        "sqrt": "Sqrt",
        "rsqrt": "Rsqrt",
        "erf": "Erf",
        "sin": "Sin",
        "cos": "Cos",
        "floor": "Floor",
        "ceil": "Ceil",
        "round": "Round",
        "reciprocal": "Reciprocal",
        "square": "Square",
    }.items():
        add(op, _elementwise, *types.split())
    for op, types in {
        "add": "Add AddV2 AddN",
        "sub": "Sub",
        "mul": "Mul",
        "div": "Div RealDiv",
        "pow": "Pow",
        "max": "Maximum",
        "min": "Minimum",
    }.items():
        add(op, _binary, *types.split())
    add("conv", _conv, "Conv2D", "Conv", "Conv2d")
    add("dwconv", _conv, "DepthwiseConv2dNative", "DepthwiseConv2D")
    add("conv3d", _stated, "Conv3D", "Conv3d")
    add("convtranspose", _conv_transpose, "Conv2DBackpropInput", "ConvTranspose", "ConvTranspose2d")
    add("fc", _fc, "MatMul", "Gemm", "Linear", "Dense")
    add("matmul", _matmul, "BatchMatMul", "BatchMatMulV2")
    add("maxpool", _pool, "MaxPool", "MaxPoolV2", "MaxPool2d")
    add("avgpool", _pool, "AvgPool", "AveragePool", "AvgPool2d")
    add("reduce_mean", _reduce, "Mean", "ReduceMean")
    add("reduce_sum", _reduce, "ReduceSum")
    add("reduce_max", _reduce, "Max", "ReduceMax")
    add("reduce_min", _reduce, "Min", "ReduceMin")
    table["Sum"] = ("add", _sum)
    table["gap"] = table["GlobalAveragePool"] = ("reduce_mean", _global_pool)
    table["GlobalMaxPool"] = ("reduce_max", _global_pool)
    add("concat", _concat, "ConcatV2", "Concat")
    add("split", _split, "Split", "SplitV")
    add("slice", _slice, "Slice", "StridedSlice")
    add("reshape", _reshape, "Reshape", "Flatten", "Squeeze", "Unsqueeze", "ExpandDims")
    add("transpose", _transpose, "Transpose")
    add("pad", _pad, "Pad", "PadV2", "MirrorPad")
    add("softmax", _axis_op, "Softmax")
    add("logsoftmax", _axis_op, "LogSoftmax")
    add("clip", _clip, "Clip", "ClipByValue")
    for op, types in {
        "embedding": "Embedding",
        "lstm": "LSTM",
        "gru": "GRU",
        "rnn": "RNN",
        "resize": "Resize ResizeBilinear ResizeNearestNeighbor Upsample",
        "gather": "Gather GatherV2",
        "expand": "Expand BroadcastTo",
        "channelshuffle": "ChannelShuffle channel_shuffle",
        "depthtospace": "DepthToSpace",
        "spacetodepth": "SpaceToDepth",
        "roll": "Roll",
        "stack": "Pack Stack",
        "where": "Where SelectV2 Select",
        "argmax": "ArgMax",
        "topk": "TopK TopKV2",
        "adaptivepool": "AdaptivePool",
    }.items():
        add(op, _stated, *types.split())
    for op in ops.KNOWN_OPS - table.keys() - {"input"}:
        add(op, _stated)
    return table


#: Type name -> (canonical op, converter).
TYPES: dict[str, tuple[str, Converter]] = _table()

#: Types that only documents of ONNX models have: their axes are channels first.
ONNX_TYPES = frozenset(
    {"Conv", "ConvTranspose", "BatchNormalization", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "AveragePool", "Concat"}
)

#: Types that no document of an ONNX model has.
TENSORFLOW_TYPES = frozenset(
    {"Conv2D", "DepthwiseConv2dNative", "ConcatV2", "BiasAdd", "AvgPool", "Mean", "FusedBatchNorm"}
)


def convert(source: Source) -> Converted:
    """Op, attributes and output shapes of a node of a document."""
    found = TYPES.get(source.type)
    if found is None:
        found = TYPES.get(source.type.rsplit(".", 1)[-1])
    if found is None:
        return _stated(source.type, source)
    return found[1](found[0], source)
