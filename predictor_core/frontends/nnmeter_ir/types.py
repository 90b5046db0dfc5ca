"""The type names of nn-Meter IR documents: TensorFlow's, ONNX's, torch's and our canonical ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from predictor_core.frontends.common.call import foreign
from predictor_core.frontends.nnmeter_ir import movement, weights
from predictor_core.frontends.nnmeter_ir.generic import bare, elementwise, stated
from predictor_core.frontends.nnmeter_ir.source import Converted, Source
from predictor_core.ir import ops

Converter = Callable[[str, Source], Converted]

#: Converter -> canonical op -> type names; the first name is the one that is written.
_TYPES: tuple[tuple[Converter, dict[str, str]], ...] = (
    (
        bare,
        {
            "relu": "Relu ReLU",
            "relu6": "Relu6 ReLU6",
            "hswish": "HardSwish Hardswish",
            "hsigmoid": "HardSigmoid Hardsigmoid hardsigmoid",
            "sigmoid": "Sigmoid Logistic",
            "swish": "Swish SiLU Silu",
            "gelu": "Gelu GELU",
            "tanh": "Tanh",
            "selu": "Selu SELU",
            "softplus": "Softplus",
            "mish": "Mish",
            "bn": "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 BatchNormalization BatchNorm BatchNorm2d",
            "biasadd": "BiasAdd Biasadd",
            "identity": "Identity",
            "dropout": "Dropout",
            "cast": "Cast",
            "stopgradient": "StopGradient",
        },
    ),
    (
        elementwise,
        {
            "leakyrelu": "LeakyRelu LeakyReLU",
            "prelu": "PRelu PReLU",
            "elu": "Elu ELU",
            "layernorm": "LayerNormalization LayerNorm",
            "rmsnorm": "RMSNormalization RMSNorm",
            "groupnorm": "GroupNormalization GroupNorm",
            "instancenorm": "InstanceNormalization InstanceNorm",
            "lrn": "LRN",
            "l2norm": "L2Normalization LpNormalization",
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
        },
    ),
    (
        movement.binary,
        {
            "add": "Add AddV2 AddN",
            "sub": "Sub",
            "mul": "Mul",
            "div": "Div RealDiv",
            "pow": "Pow",
            "max": "Maximum",
            "min": "Minimum",
        },
    ),
    (
        movement.reduce,
        {
            "reduce_mean": "Mean ReduceMean",
            "reduce_sum": "Sum ReduceSum",
            "reduce_max": "Max ReduceMax",
            "reduce_min": "Min ReduceMin",
        },
    ),
    (weights.conv, {"conv": "Conv2D Conv Conv2d", "dwconv": "DepthwiseConv2dNative DepthwiseConv2D"}),
    (weights.conv_transpose, {"convtranspose": "Conv2DBackpropInput ConvTranspose ConvTranspose2d"}),
    (weights.fc, {"fc": "MatMul Gemm Linear Dense"}),
    (weights.matmul, {"matmul": "BatchMatMulV2 BatchMatMul"}),
    (weights.pool, {"maxpool": "MaxPool MaxPoolV2 MaxPool2d", "avgpool": "AvgPool AveragePool AvgPool2d"}),
    (movement.concat, {"concat": "ConcatV2 Concat"}),
    (movement.split, {"split": "Split SplitV"}),
    (movement.slice_, {"slice": "StridedSlice Slice"}),
    (movement.reshape, {"reshape": "Reshape Flatten Squeeze Unsqueeze ExpandDims"}),
    (movement.transpose, {"transpose": "Transpose"}),
    (movement.pad, {"pad": "Pad PadV2 MirrorPad"}),
    (movement.axis_op, {"softmax": "Softmax", "logsoftmax": "LogSoftmax"}),
    (movement.clip, {"clip": "ClipByValue Clip"}),
    (
        stated,
        {
            "conv3d": "Conv3D Conv3d",
            "convtranspose3d": "Conv3DBackpropInputV2 ConvTranspose3d",
            "deformconv": "DeformConv DeformConv2d",
            "maxpool3d": "MaxPool3D MaxPool3d",
            "avgpool3d": "AvgPool3D AvgPool3d",
            "embedding": "Embedding",
            "lstm": "LSTM",
            "gru": "GRU",
            "rnn": "RNN",
            "adaptivepool": "AdaptivePool",
            "argmax": "ArgMax",
            "topk": "TopKV2 TopK",
            "resize": "Resize ResizeBilinear ResizeNearestNeighbor Upsample",
            "gather": "GatherV2 Gather",
            "expand": "BroadcastTo Expand",
            "channelshuffle": "ChannelShuffle",
            "depthtospace": "DepthToSpace",
            "spacetodepth": "SpaceToDepth",
            "roll": "Roll",
            "stack": "Pack Stack",
            "where": "SelectV2 Select Where",
        },
    ),
)

#: Canonical op -> the type name that is written for it.
NAMES: dict[str, str] = {"input": "Placeholder"}

#: Type name -> (canonical op, converter). A canonical op is a type name, too.
TYPES: dict[str, tuple[str, Converter]] = {op: (op, stated) for op in ops.KNOWN_OPS}

for _converter, _spellings in _TYPES:
    for _op, _names in _spellings.items():
        NAMES[_op] = _names.split()[0]
        TYPES.update(dict.fromkeys((_op, *_names.split()), (_op, _converter)))
TYPES.update(
    {
        "Sum": ("add", movement.sum_),
        "gap": ("reduce_mean", weights.global_pool),
        "GlobalAveragePool": ("reduce_mean", weights.global_pool),
        "GlobalMaxPool": ("reduce_max", weights.global_pool),
    }
)

#: Types that only documents of ONNX models have.
ONNX_TYPES = frozenset(
    (
        "Conv",
        "ConvTranspose",
        "BatchNormalization",
        "Gemm",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "AveragePool",
        "Concat",
    )
)

#: Types that no document of an ONNX model has.
TENSORFLOW_TYPES = frozenset(
    (
        "Conv2D",
        "DepthwiseConv2dNative",
        "ConcatV2",
        "BiasAdd",
        "AvgPool",
        "Mean",
        "FusedBatchNorm",
        "FusedBatchNormV3",
    )
)


INPUT_TYPES = frozenset({"Placeholder", "PlaceholderWithDefault", "Input", "InputLayer", "input"})


def is_channels_first(document: Mapping[str, Any]) -> bool:
    """Tell whether a document states axes as ONNX and NNI have them, channels first.

    Documents made of such models do, and have no inputs as nodes. In one that has, with types of ONNX all the
    same, the axes of its first reduction or concatenation tell.
    """
    types = {entry["attr"]["type"] for entry in document.values()}
    if types.isdisjoint(INPUT_TYPES):
        return types.isdisjoint(TENSORFLOW_TYPES)
    if types.isdisjoint(ONNX_TYPES) or not types.isdisjoint(TENSORFLOW_TYPES):
        return False
    for entry in document.values():
        attr = entry["attr"]
        attrs = attr.get("attr") or {}
        axes = attrs.get("axes", attrs.get("axis"))
        if attr["type"].startswith("Reduce") and isinstance(axes, (list, tuple)):
            return not set(axes) <= {1, 2}
        if attr["type"] == "Concat" and axes in (1, 3, [1], [3], (1,), (3,)):
            return axes in (1, [1], (1,))
    return True


def convert(source: Source) -> Converted:
    """Op, attributes and output shapes of a node of a document."""
    found = TYPES.get(source.type)
    if found is None:
        # Modules keep their path in the type; the class name is its last part.
        found = TYPES.get(source.type.rpartition(".")[2])
    if found is None:
        return stated(foreign(source.type), source)
    op, converter = found
    return converter(op, source)
