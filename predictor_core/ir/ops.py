"""Canonical op vocabulary: one row for every op that a front end may write, hence the length.

Shapes are channels last, batch first. Weights are never inputs: they are described by attributes. An op
without a row keeps its original name, and is estimated and flagged downstream. What an op costs stands in
`predictor_core.kernels.table`, which may know this module, and not the other way round.

Beyond what the rows say:

- ``conv`` and its like: attributes are (height, width), with depth before them for three dimensions; pads are
  (top, left, bottom, right); ``bias`` is a per-channel shift or a folded batch norm. ``deformconv`` reads the
  offsets of its window, and a mask where it has one, as further inputs.
- ``fc``: constant weight on the last dimension. ``matmul``: two activations, or one and a constant
  (``const_shape``) that is no plain matrix on the right. Recurrent layers have ``projection`` where the state
  is one of what the gates make.
- Binary ops: two inputs, or one and a constant: ``const`` (a number) or ``const_shape``; ``const_first``: the
  constant is the left operand.
- Pools over the whole feature map are ``reduce_mean`` or ``reduce_max`` with ``axes`` (1, 2).
  ``adaptivepool``: to a size that does not divide that of the input. A max pool may have a second output, the
  indices of the maxima.
- ``pad``: ``pads`` ((before, after), ...) per dimension.
- Front ends may write ``Einsum``, an explicit ``equation`` of at most two operands, one of them perhaps a
  constant; it becomes one of these ops and the movement of data around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from predictor_core.errors import GraphError
from predictor_core.ir import shapes
from predictor_core.ir.graph import Node
from predictor_core.ir.shapes import Attrs, Shapes

ShapeFunction = Callable[[Attrs, Shapes], Shapes]
LayoutClass = str

#: How ops are written channels last (`predictor_core.ir.layout.ops` has a handler for each): as images; like
#: their input; as their source has them; joined in the layout that moves least; along an axis; reduced.
LAYOUTS = ("image", "elementwise", "sequence", "join", "axis", "reduction")


class OpSpec(NamedTuple):
    """What is known of one op of a Graph.

    Parameters
    ----------
    name : str
        The canonical op.
    group : str
        ``conv``, ``dense``, ``binary``, ``activation``, ``unary``, ``norm``, ``pool``, ``reduce``, ``data``,
        ``free`` (converters remove it), ``input`` or ``other``.
    layout : str
        One of `LAYOUTS`, or the op itself where it has a handler of its own, or "" to leave it as it stands.
    shape : callable, optional
        Attributes and input shapes -> output shapes; None where only the source states them.
    attrs : mapping of str to type
        Attributes that a node may carry.
    ir_names : str
        Names in nn-Meter IR documents, with spaces between them; the first is written.
    """

    name: str
    group: str
    layout: LayoutClass = ""
    shape: ShapeFunction | None = None
    attrs: Mapping[str, type] = MappingProxyType({})
    ir_names: str = ""


_WINDOW: Mapping[str, type] = {"kernel": tuple, "strides": tuple, "pads": tuple}
_CONV: Mapping[str, type] = {**_WINDOW, "dilations": tuple, "groups": int, "bias": bool}
_TRANSPOSED: Mapping[str, type] = {**_CONV, "output_padding": tuple}
_RECURRENT: Mapping[str, type] = {"hidden": int, "layers": int, "bidirectional": bool, "projection": int}
_CONSTANT: Mapping[str, type] = {"const": float, "const_shape": tuple, "const_first": bool}
_AXIS: Mapping[str, type] = {"axis": int}
_GROUPS: Mapping[str, type] = {"groups": int}
_REDUCED: Mapping[str, type] = {"axes": tuple, "keepdims": bool}

_ROWS = (
    OpSpec("input", "input", ir_names="Placeholder"),
    OpSpec("conv", "conv", "image", shapes.conv, attrs=_CONV, ir_names="Conv2D Conv Conv2d"),
    OpSpec(
        "dwconv",
        "conv",
        "image",
        shapes.dwconv,
        attrs=_CONV,
        ir_names="DepthwiseConv2dNative DepthwiseConv2D",
    ),
    OpSpec(
        "convtranspose",
        "conv",
        "image",
        shapes.convtranspose,
        attrs=_TRANSPOSED,
        ir_names="Conv2DBackpropInput ConvTranspose ConvTranspose2d",
    ),
    OpSpec("conv3d", "conv", "image", attrs=_CONV, ir_names="Conv3D Conv3d"),
    OpSpec(
        "convtranspose3d",
        "conv",
        "image",
        shapes.convtranspose,
        attrs=_TRANSPOSED,
        ir_names="Conv3DBackpropInputV2 ConvTranspose3d",
    ),
    OpSpec("deformconv", "conv", "image", shapes.conv, attrs=_CONV, ir_names="DeformConv DeformConv2d"),
    OpSpec("fc", "dense", "fc", shapes.fc, attrs={"bias": bool}, ir_names="MatMul Gemm Linear Dense"),
    OpSpec(
        "matmul",
        "dense",
        "sequence",
        shapes.matmul,
        attrs={"const_shape": tuple, "const_first": bool},
        ir_names="BatchMatMulV2 BatchMatMul",
    ),
    OpSpec("embedding", "dense", "sequence", shapes.embedding, attrs={"width": int}, ir_names="Embedding"),
    OpSpec("lstm", "dense", "sequence", attrs=_RECURRENT, ir_names="LSTM"),
    OpSpec("gru", "dense", "sequence", attrs=_RECURRENT, ir_names="GRU"),
    OpSpec("rnn", "dense", "sequence", attrs=_RECURRENT, ir_names="RNN"),
    OpSpec("add", "binary", "join", shapes.binary, attrs=_CONSTANT, ir_names="Add AddV2 AddN"),
    OpSpec("sub", "binary", "join", shapes.binary, attrs=_CONSTANT, ir_names="Sub"),
    OpSpec("mul", "binary", "join", shapes.binary, attrs=_CONSTANT, ir_names="Mul"),
    OpSpec("div", "binary", "join", shapes.binary, attrs=_CONSTANT, ir_names="Div RealDiv"),
    OpSpec("pow", "binary", "join", shapes.binary, attrs=_CONSTANT, ir_names="Pow"),
    OpSpec("max", "binary", "join", shapes.binary, attrs=_CONSTANT, ir_names="Maximum"),
    OpSpec("min", "binary", "join", shapes.binary, attrs=_CONSTANT, ir_names="Minimum"),
    OpSpec("relu", "activation", "elementwise", shapes.same, ir_names="Relu ReLU"),
    OpSpec("relu6", "activation", "elementwise", shapes.same, ir_names="Relu6 ReLU6"),
    OpSpec("hswish", "activation", "elementwise", shapes.same, ir_names="HardSwish Hardswish"),
    OpSpec(
        "hsigmoid", "activation", "elementwise", shapes.same, ir_names="HardSigmoid Hardsigmoid hardsigmoid"
    ),
    OpSpec("sigmoid", "activation", "elementwise", shapes.same, ir_names="Sigmoid Logistic"),
    OpSpec("swish", "activation", "elementwise", shapes.same, ir_names="Swish SiLU Silu"),
    OpSpec("gelu", "activation", "elementwise", shapes.same, ir_names="Gelu GELU"),
    OpSpec("tanh", "activation", "elementwise", shapes.same, ir_names="Tanh"),
    OpSpec("leakyrelu", "activation", "elementwise", shapes.same, ir_names="LeakyRelu LeakyReLU"),
    OpSpec("prelu", "activation", "elementwise", shapes.same, ir_names="PRelu PReLU"),
    OpSpec("elu", "activation", "elementwise", shapes.same, ir_names="Elu ELU"),
    OpSpec("selu", "activation", "elementwise", shapes.same, ir_names="Selu SELU"),
    OpSpec("softplus", "activation", "elementwise", shapes.same, ir_names="Softplus"),
    OpSpec("mish", "activation", "elementwise", shapes.same, ir_names="Mish"),
    OpSpec(
        "clip",
        "activation",
        "elementwise",
        shapes.same,
        attrs={"min": float, "max": float},
        ir_names="ClipByValue Clip",
    ),
    OpSpec("abs", "unary", "elementwise", shapes.same, ir_names="Abs"),
    OpSpec("neg", "unary", "elementwise", shapes.same, ir_names="Neg"),
    OpSpec("exp", "unary", "elementwise", shapes.same, ir_names="Exp"),
    OpSpec("log", "unary", "elementwise", shapes.same, ir_names="Log"),
    OpSpec("sqrt", "unary", "elementwise", shapes.same, ir_names="Sqrt"),
    OpSpec("rsqrt", "unary", "elementwise", shapes.same, ir_names="Rsqrt"),
    OpSpec("erf", "unary", "elementwise", shapes.same, ir_names="Erf"),
    OpSpec("sin", "unary", "elementwise", shapes.same, ir_names="Sin"),
    OpSpec("cos", "unary", "elementwise", shapes.same, ir_names="Cos"),
    OpSpec("floor", "unary", "elementwise", shapes.same, ir_names="Floor"),
    OpSpec("ceil", "unary", "elementwise", shapes.same, ir_names="Ceil"),
    OpSpec("round", "unary", "elementwise", shapes.same, ir_names="Round"),
    OpSpec("reciprocal", "unary", "elementwise", shapes.same, ir_names="Reciprocal"),
    OpSpec("square", "unary", "elementwise", shapes.same, ir_names="Square"),
    OpSpec(
        "bn",
        "norm",
        "image",
        shapes.same,
        ir_names="FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 BatchNormalization BatchNorm BatchNorm2d",
    ),
    OpSpec("biasadd", "norm", "image", shapes.same, ir_names="BiasAdd Biasadd"),
    OpSpec("layernorm", "norm", "axis", shapes.same, attrs=_AXIS, ir_names="LayerNormalization LayerNorm"),
    OpSpec("rmsnorm", "norm", "axis", shapes.same, attrs=_AXIS, ir_names="RMSNormalization RMSNorm"),
    OpSpec("groupnorm", "norm", "image", shapes.same, attrs=_GROUPS, ir_names="GroupNormalization GroupNorm"),
    OpSpec("instancenorm", "norm", "image", shapes.same, ir_names="InstanceNormalization InstanceNorm"),
    OpSpec("lrn", "norm", "image", shapes.same, ir_names="LRN"),
    OpSpec("l2norm", "norm", "elementwise", shapes.same, ir_names="L2Normalization LpNormalization"),
    OpSpec("softmax", "norm", "axis", shapes.same, attrs=_AXIS, ir_names="Softmax"),
    OpSpec("logsoftmax", "norm", "axis", shapes.same, attrs=_AXIS, ir_names="LogSoftmax"),
    OpSpec("maxpool", "pool", "image", shapes.pool, attrs=_WINDOW, ir_names="MaxPool MaxPoolV2 MaxPool2d"),
    OpSpec("avgpool", "pool", "image", shapes.pool, attrs=_WINDOW, ir_names="AvgPool AveragePool AvgPool2d"),
    OpSpec("adaptivepool", "pool", "image", attrs={"mode": str}, ir_names="AdaptivePool"),
    OpSpec("maxpool3d", "pool", "image", attrs=_WINDOW, ir_names="MaxPool3D MaxPool3d"),
    OpSpec("avgpool3d", "pool", "image", attrs=_WINDOW, ir_names="AvgPool3D AvgPool3d"),
    OpSpec("reduce_mean", "reduce", "reduction", shapes.reduce, attrs=_REDUCED, ir_names="Mean ReduceMean"),
    OpSpec("reduce_sum", "reduce", "reduction", shapes.reduce, attrs=_REDUCED, ir_names="Sum ReduceSum"),
    OpSpec("reduce_max", "reduce", "reduction", shapes.reduce, attrs=_REDUCED, ir_names="Max ReduceMax"),
    OpSpec("reduce_min", "reduce", "reduction", shapes.reduce, attrs=_REDUCED, ir_names="Min ReduceMin"),
    OpSpec("argmax", "reduce", "reduction", attrs=_AXIS, ir_names="ArgMax"),
    OpSpec("topk", "reduce", "reduction", attrs=_AXIS, ir_names="TopKV2 TopK"),
    OpSpec("concat", "data", "join", shapes.concat, attrs=_AXIS, ir_names="ConcatV2 Concat"),
    OpSpec(
        "split", "data", "axis", shapes.split, attrs={"axis": int, "sizes": tuple}, ir_names="Split SplitV"
    ),
    OpSpec(
        "slice",
        "data",
        "axis",
        attrs={"axes": tuple, "starts": tuple, "steps": tuple},
        ir_names="StridedSlice Slice",
    ),
    OpSpec(
        "pad",
        "data",
        "axis",
        shapes.pad,
        attrs={"pads": tuple, "mode": str, "value": float},
        ir_names="Pad PadV2 MirrorPad",
    ),
    OpSpec(
        "resize",
        "data",
        "image",
        attrs={"mode": str},
        ir_names="Resize ResizeBilinear ResizeNearestNeighbor Upsample",
    ),
    OpSpec(
        "reshape",
        "data",
        "reshape",
        shapes.reshape,
        attrs={"shape": tuple},
        ir_names="Reshape Flatten Squeeze Unsqueeze ExpandDims",
    ),
    OpSpec("transpose", "data", "transpose", shapes.transpose, attrs={"perm": tuple}, ir_names="Transpose"),
    OpSpec("gather", "data", "gather", attrs=_AXIS, ir_names="GatherV2 Gather"),
    OpSpec("expand", "data", "expand", ir_names="BroadcastTo Expand"),
    OpSpec("channelshuffle", "data", "image", shapes.same, attrs=_GROUPS, ir_names="ChannelShuffle"),
    OpSpec(
        "depthtospace", "data", "image", shapes.depth_to_space, attrs={"block": int}, ir_names="DepthToSpace"
    ),
    OpSpec(
        "spacetodepth", "data", "image", shapes.space_to_depth, attrs={"block": int}, ir_names="SpaceToDepth"
    ),
    OpSpec("roll", "data", "elementwise", shapes.same, ir_names="Roll"),
    OpSpec("stack", "data", "sequence", attrs=_AXIS, ir_names="Pack Stack"),
    OpSpec("where", "data", "join", ir_names="SelectV2 Select Where"),
    OpSpec("identity", "free", "elementwise", shapes.same, ir_names="Identity"),
    OpSpec("dropout", "free", "elementwise", shapes.same, ir_names="Dropout"),
    OpSpec("cast", "free", "elementwise", shapes.same, ir_names="Cast"),
    OpSpec("stopgradient", "free", "elementwise", shapes.same, ir_names="StopGradient"),
    OpSpec("contiguous", "free", "elementwise", shapes.same),
    OpSpec("detach", "free", "elementwise", shapes.same),
)

#: Op -> row.
OPS: dict[str, OpSpec] = {row.name: row for row in _ROWS}

#: Rows of ops that users have registered (`predictor_core.kernels.register_op`); they go before `OPS`.
USER_OPS: dict[str, OpSpec] = {}


def _group(name: str) -> frozenset[str]:
    return frozenset(row.name for row in _ROWS if row.group == name)


DENSE_OPS = _group("dense")
BINARY_OPS = _group("binary")
ACTIVATION_OPS = _group("activation")
UNARY_OPS = _group("unary")
POOL_OPS = _group("pool")
DATA_OPS = _group("data")
FREE_OPS = _group("free")
KNOWN_OPS = frozenset(OPS)

_COSTLESS = FREE_OPS | {"input"}


def find(op: str) -> OpSpec | None:
    """Row of an op, or None where it is not known."""
    return USER_OPS.get(op) or OPS.get(op)


def free_ops() -> frozenset[str]:
    """Ops that cost nothing on any device, the inputs of models among them."""
    if not USER_OPS:
        return _COSTLESS
    return _COSTLESS | {row.name for row in USER_OPS.values() if row.group == "free"}


def is_free(op: str) -> bool:
    """Whether an op costs nothing on any device."""
    return op in free_ops()


#: What a value of a type may be: whole numbers are numbers, too, and numpy's are as good as Python's.
_ACCEPTED: Mapping[type, tuple[type, ...]] = {
    bool: (Integral, np.bool_),
    int: (Integral,),
    float: (Real,),
    tuple: (tuple, list),
    str: (str,),
}


def check_attributes(nodes: Sequence[Node]) -> None:
    """Raise `GraphError` for a node with an attribute of another type than its row says."""
    # Few sorts of nodes make up a model.
    sorts = {(op, *attrs, *map(type, attrs.values())) for _, op, _, attrs, _, _ in nodes if attrs}
    if all(map(_are_accepted, sorts)):
        return
    for name, op, _, attrs, _, _ in nodes:
        if attrs and not _are_accepted((op, *attrs, *map(type, attrs.values()))):
            expected = _expected(op)
            key, value = next(
                (key, value)
                for key, value in attrs.items()
                if not _is_accepted(expected.get(key), type(value))
            )
            raise GraphError(
                f"node {name!r} ({op}) has the attribute {key} {value!r:.80}; "
                f"expected a {expected[key].__name__}"
            )


def _expected(op: str) -> Mapping[str, type]:
    row = find(op)
    return {} if row is None else row.attrs


def _is_accepted(expected: type | None, given: type) -> bool:
    # None stands for an attribute that is not given.
    return expected is None or given is type(None) or issubclass(given, _ACCEPTED.get(expected, expected))


@lru_cache(maxsize=1024)
def _are_accepted(sort: tuple[Any, ...]) -> bool:
    """Whether a node may have such attributes: its op, then the names of all, then their types."""
    op, *rest = sort
    expected, count = _expected(op), len(rest) // 2
    return all(_is_accepted(expected.get(key), given) for key, given in zip(rest, rest[count:]))


def infer(op: str, attrs: Attrs, inputs: Shapes) -> Shapes | None:
    """Output shapes of an op, or None where no row knows how.

    Parameters
    ----------
    op : str
        Canonical op.
    attrs : mapping
        Its attributes; a conv also needs ``filters`` (output channels), fc likewise.
    inputs : tuple of shapes
        Channels last.

    Raises
    ------
    GraphError
        When the inputs don't fit the op.
    """
    row = find(op)
    if row is None or row.shape is None:
        return None
    try:
        return row.shape(attrs, inputs)
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError) as error:
        raise GraphError(f"{op} can't take inputs {[list(s) for s in inputs]} with {dict(attrs)}") from error
