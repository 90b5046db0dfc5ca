"""The type names of nn-Meter IR documents: TensorFlow's, ONNX's, torch's and our canonical ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from predictor_core.frontends.common.call import foreign
from predictor_core.frontends.nnmeter_ir import movement, weights
from predictor_core.frontends.nnmeter_ir.generic import bare, elementwise, stated
from predictor_core.frontends.nnmeter_ir.source import Converted, Source
from predictor_core.ir import ops

Converter = Callable[[str, Source], Converted]

#: Converter -> the canonical ops that it reads; `stated` reads all others.
_CONVERTERS: dict[Converter, str] = {
    bare: "relu relu6 hswish hsigmoid sigmoid swish gelu tanh selu softplus mish "
    "bn biasadd identity dropout cast stopgradient",
    elementwise: "leakyrelu prelu elu layernorm rmsnorm groupnorm instancenorm lrn l2norm "
    "abs neg exp log sqrt rsqrt erf sin cos "
    "floor ceil round reciprocal square",
    movement.binary: "add sub mul div pow max min",
    movement.reduce: "reduce_mean reduce_sum reduce_max reduce_min",
    weights.conv: "conv dwconv",
    weights.conv_transpose: "convtranspose",
    weights.fc: "fc",
    weights.matmul: "matmul",
    weights.pool: "maxpool avgpool",
    movement.concat: "concat",
    movement.split: "split",
    movement.slice_: "slice",
    movement.reshape: "reshape",
    movement.transpose: "transpose",
    movement.pad: "pad",
    movement.axis_op: "softmax logsoftmax",
    movement.clip: "clip",
}
_BY_OP = {op: converter for converter, names in _CONVERTERS.items() for op in names.split()}

#: Canonical op -> the type name that is written for it.
NAMES: dict[str, str] = {row.name: row.ir_names.split()[0] for row in ops.OPS.values() if row.ir_names}

#: Type name -> (canonical op, converter). A canonical op is a type name, too.
TYPES: dict[str, tuple[str, Converter]] = {
    name: (row.name, _BY_OP.get(row.name, stated))
    for row in ops.OPS.values()
    for name in (row.name, *(row.ir_names.split() if row.group != "input" else ()))
}
TYPES.update(
    {
        "Sum": ("add", movement.sum_),
        "gap": ("reduce_mean", weights.global_pool),
        "GlobalAveragePool": ("reduce_mean", weights.global_pool),
        "GlobalMaxPool": ("reduce_max", weights.global_pool),
    }
)

#: Type name -> canonical op, of ops with one input and no attributes that matter.
BARE = {name: op for name, (op, converter) in TYPES.items() if converter is bare}

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
    types = {*map(itemgetter("type"), map(itemgetter("attr"), document.values()))}
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
