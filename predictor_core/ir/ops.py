"""Canonical op vocabulary: every op a front end may write, and the attributes it carries.

Shapes are channels last, batch first. Weights are never inputs: they are described by attributes.
An op outside this vocabulary keeps its original name, and is estimated and flagged downstream.
"""

from __future__ import annotations

#: Ops with weights. ``kernel``, ``strides``, ``dilations``: (height, width); ``pads``: (top, left,
#: bottom, right); ``groups``: int; ``bias``: bool (a per-channel shift or a folded batch norm).
#: ``conv3d``/``convtranspose3d``: with depth, height and width in each attribute. ``deformconv`` reads the
#: offsets of its window, and a mask where it has one, as further inputs.
CONV_OPS = frozenset({"conv", "dwconv", "convtranspose", "conv3d", "convtranspose3d", "deformconv"})

#: ``fc``: constant weight on the last dimension, ``bias``. ``matmul``: two activations, or one and a constant
#: (``const_shape``) that is no plain matrix on the right; ``const_first``: the constant is the left operand.
#: ``embedding``: table look-up. ``lstm``/``gru``/``rnn``: ``hidden``, ``layers``, ``bidirectional`` and,
#: where the state is a projection of what the gates make, its width ``projection``.
#: Front ends may write ``Einsum``, an explicit ``equation`` of at most two operands, one of them perhaps a
#: constant; it becomes one of these and the movement of data around it.
DENSE_OPS = frozenset({"fc", "matmul", "embedding", "lstm", "gru", "rnn"})

#: Two inputs, or one and a constant: ``const`` (float, scalar) or ``const_shape`` (tuple). ``const_first``:
#: the constant is the left operand of ``sub``, ``div`` or ``pow``.
BINARY_OPS = frozenset({"add", "sub", "mul", "div", "pow", "max", "min"})

#: One input, elementwise.
ACTIVATION_OPS = frozenset(
    {
        "relu",
        "relu6",
        "hswish",
        "hsigmoid",
        "sigmoid",
        "swish",
        "gelu",
        "tanh",
        "leakyrelu",
        "prelu",
        "elu",
        "selu",
        "softplus",
        "mish",
        "clip",
    }
)
UNARY_OPS = frozenset(
    {
        "abs",
        "neg",
        "exp",
        "log",
        "sqrt",
        "rsqrt",
        "erf",
        "sin",
        "cos",
        "floor",
        "ceil",
        "round",
        "reciprocal",
        "square",
    }
)

#: ``bn``: inference batch norm; ``biasadd``: per-channel shift; the others have ``axis`` or ``groups``.
NORM_OPS = frozenset(
    {
        "bn",
        "biasadd",
        "layernorm",
        "rmsnorm",
        "groupnorm",
        "instancenorm",
        "lrn",
        "l2norm",
        "softmax",
        "logsoftmax",
    }
)

#: ``maxpool``/``avgpool``: ``kernel``, ``strides``, ``pads``. Pools over the whole feature map in
#: any spelling are ``reduce_mean``/``reduce_max`` with ``axes`` (1, 2). ``adaptivepool``: to a size that does
#: not divide that of the input, ``mode`` ``avg`` or ``max``. ``maxpool3d``/``avgpool3d``: with depth, height
#: and width in each attribute. A max pool may have a second output, the indices of the maxima.
POOL_OPS = frozenset({"maxpool", "avgpool", "adaptivepool", "maxpool3d", "avgpool3d"})
REDUCE_OPS = frozenset({"reduce_mean", "reduce_sum", "reduce_max", "reduce_min", "argmax", "topk"})

#: ``concat``: ``axis``; ``split``: ``axis``, ``sizes``; ``slice``: ``axes``, ``starts``, ``steps``;
#: ``pad``: ``pads`` ((before, after), ...) per dimension; ``resize``: ``mode``; ``reshape``: ``shape``;
#: ``transpose``: ``perm``; ``gather``: ``axis``; ``channelshuffle``: ``groups``;
#: ``depthtospace``/``spacetodepth``: ``block``.
DATA_OPS = frozenset(
    {
        "concat",
        "split",
        "slice",
        "pad",
        "resize",
        "reshape",
        "transpose",
        "gather",
        "expand",
        "channelshuffle",
        "depthtospace",
        "spacetodepth",
        "roll",
        "stack",
        "where",
    }
)

#: Ops that cost nothing on any device, because a converter removes them.
FREE_OPS = frozenset({"identity", "dropout", "cast", "stopgradient", "contiguous", "detach"})

KNOWN_OPS = (
    CONV_OPS
    | DENSE_OPS
    | BINARY_OPS
    | ACTIVATION_OPS
    | UNARY_OPS
    | NORM_OPS
    | POOL_OPS
    | REDUCE_OPS
    | DATA_OPS
    | FREE_OPS
    | {"input"}
)
