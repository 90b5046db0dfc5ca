"""What onnxruntime's optimiser writes: ops of its own domains that stand for several ops of ONNX."""

from __future__ import annotations

from functools import partial
from math import prod

from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import AS_FLOAT, Value
from predictor_core.frontends.onnx import attention, data_ops, dense_ops, image_ops, integer_ops
from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.frontends.onnx.compose import Read, Steps, on_channels_last, pick, picked, read, rule
from predictor_core.ir.graph import Shape

_DENSE, _DATA, _IMAGE = dense_ops.HANDLERS, data_ops.HANDLERS, image_ops.HANDLERS


def _fused_conv(call: Call) -> Steps:
    """Convolution, the sum with a fourth input, activation."""
    steps = rule(_IMAGE["Conv"], call, pick(call, 0, 1, 2))
    steps.plus(call, 3)
    steps.activate(call)
    return steps


def _fused_gemm(call: Call) -> Steps:
    steps = rule(_DENSE["Gemm"], call, call.inputs)
    steps.activate(call)
    return steps


def _fused_matmul(call: Call) -> Steps:
    """Product of two tensors whose last two dimensions may be swapped."""
    steps = Steps()
    operands: list[Value] = []
    turned: dict[int, int] = {}
    for index, flag in ((0, "transA"), (1, "transB")):
        value = call.value(index)
        rank = len(value.shape)
        if call.attrs.get(flag) and rank > 1:
            shape = (*value.shape[:-2], value.shape[-1], value.shape[-2])
            if not value.is_constant:
                steps.transpose(read(call, index), (*range(rank - 2), rank - 1, rank - 2))
                turned[index] = len(steps) - 1
            value = Value(shape, value.node)
        operands.append(value)
    (product,) = rule(_DENSE["MatMul"], call, operands)
    sources: list[Value | int] = []
    for source in product.reads:
        index = next((place for place, operand in enumerate(operands) if operand is source), -1)
        sources.append(turned.get(index, source))
    steps.append(product._replace(reads=tuple(sources)))
    steps.activate(call)
    return steps


def _packed_matmul(call: Call) -> Steps:
    """Product with weights of few bits; attributes state their shape (K, N)."""
    call.warnings.append(AS_FLOAT)
    weight = Value((call.attrs["K"], call.attrs["N"]))
    steps = rule(_DENSE["MatMul"], call, [call.value(0), weight])
    steps.plus(call, 5)
    return steps


def _biased(op: str) -> Handler:
    """Return the rule of an activation of the sum of an input and a bias, where that is there."""

    def run(call: Call) -> Steps:
        steps = Steps()
        x = read(call)
        if call.has(1):
            x = steps.binary("add", x, read(call, 1))
        steps.add(op, x.shape, x, **({"axis": len(x.shape) - 1} if op == "softmax" else {}))
        return steps

    return run


def _bias_add(call: Call) -> Steps:
    steps = Steps()
    steps.binary("add", read(call), read(call, 1))
    steps.plus(call, 2)
    return steps


def _bias_split_gelu(call: Call) -> Steps:
    """Half of the sum with a bias, times GELU of the other half."""
    steps = Steps()
    whole = steps.binary("add", read(call), read(call, 1))
    axis = len(whole.shape) - 1
    half = (*whole.shape[:-1], whole.shape[-1] // 2)
    left, right = [
        steps.add("slice", half, whole, axes=(axis,), starts=(start,), steps=(1,)) for start in (0, half[-1])
    ]
    steps.binary("mul", left, steps.add("gelu", half, right))
    return steps


def _gemm_gelu(call: Call) -> Steps:
    steps = rule(_DENSE["MatMul"], call, pick(call, 0, 1))
    steps.plus(call, 2)
    steps.add("gelu", steps.last.shape, steps.last)
    return steps


def _skip_norm(op: str, bias: int) -> Handler:
    """Return the rule of a norm of the sum of two inputs and a bias; the fourth output is the sum."""

    def run(call: Call) -> Steps:
        steps = Steps()
        steps.binary("add", read(call), read(call, 1))
        steps.plus(call, bias)
        total = steps.last
        out = steps.add(op, total.shape, total, axis=len(total.shape) - 1)
        steps.results = [out, None, None, total]
        return steps

    return run


def _embed_norm(call: Call) -> Steps:
    """Look-ups of words, positions and segments; their sum; norm. The last output is the sum."""
    steps = Steps()
    ids = read(call)
    batch, length = ids.shape
    out = (batch, length, call.shape(2)[1])
    total = steps.add("embedding", out, ids, table=call.shape(2))
    total = steps.add("add", out, total, const_shape=out[1:])
    if call.has(1) and call.has(4):
        segments = steps.add("embedding", out, read(call, 1), table=call.shape(4))
        total = steps.add("add", out, total, segments)
    normed = steps.add("layernorm", out, total, axis=2)
    mask = steps.add("reduce_sum", (batch,), read(call, 7), axes=(1,)) if call.has(7) else None
    steps.results = [normed, mask, total]
    return steps


def _group_norm(call: Call) -> Steps:
    """Group norm and the activation that is merged into it, of images with the channels last."""

    def run(inner: Call) -> Steps:
        steps = Steps()
        x = read(inner)
        for index in (3, 4):
            if inner.has(index):
                x = steps.binary("add", x, _channels_first(inner, index, x.shape))
        steps.add("groupnorm", x.shape, x, groups=inner.attrs["groups"])
        if inner.attrs.get("activation"):
            steps.add("swish", x.shape, steps.last)
        return steps

    return on_channels_last(run, call) if call.attrs.get("channels_last", 1) else run(call)


def _channels_first(call: Call, index: int, shape: Shape) -> Read:
    """Return a further input as a constant of the image's shape, or of its channels."""
    value = call.value(index)
    size = shape if prod(value.shape) == prod(shape) else (shape[1], *(1,) * (len(shape) - 2))
    return Read(Value(size), size)


def _quantized_lstm(call: Call) -> Step:
    """LSTM whose weights are integers and transposed: (directions, inputs, 4 hidden)."""
    call.warnings.append(AS_FLOAT)
    directions, hidden, gates = call.shape(2)
    recurrence = Value((directions, gates, hidden))
    steps = rule(_DENSE["LSTM"], call, [call.value(0), call.value(1), recurrence])
    return steps[0]


def _blocked_conv(call: Call) -> Steps:
    """Convolution on channels in blocks, filled up to whole ones."""
    x, weight = call.value(0), call.shape(1)
    groups = call.attrs.get("group", 1)
    channels = weight[1] * groups
    image = Value((x.shape[0], channels, *x.shape[2:]), x.node)
    steps = rule(_IMAGE["Conv"], call, [image, *pick(call, 1, 2)])
    steps[0] = steps[0]._replace(reads=tuple([x if source is image else source for source in steps[0].reads]))
    steps.plus(call, 3)
    steps.activate(call)
    return steps


def _unblocked(call: Call) -> Step:
    """Back to plain channels: those that filled up the last block are left out."""
    x = call.shape(0)
    out = (x[0], call.attrs["channels"], *x[2:])
    if out == x:
        return call.step("identity", x)
    return call.step("slice", out, axes=(1,), starts=(0,), steps=(1,))


def _blocked_upsample(call: Call) -> Step:
    x = call.shape(0)
    out = tuple([size * scale for size, scale in zip(x, call.attrs["scales"])])
    return call.step("resize", out, mode=call.attrs.get("mode", "nearest"))


#: Rules of the domain ``com.microsoft``; ops that it shares with ONNX mean the same there.
HANDLERS: dict[str, Handler] = {
    **attention.CONTRIB_HANDLERS,
    **integer_ops.CONTRIB_HANDLERS,
    "BiasAdd": _bias_add,
    "BiasGelu": _biased("gelu"),
    "BiasSoftmax": _biased("softmax"),
    "BiasSplitGelu": _bias_split_gelu,
    "DynamicQuantizeLSTM": _quantized_lstm,
    "EmbedLayerNormalization": _embed_norm,
    "FastGelu": _biased("gelu"),
    "FusedConv": _fused_conv,
    "FusedGemm": _fused_gemm,
    "FusedMatMul": _fused_matmul,
    "FusedMatMulActivation": _fused_matmul,
    "GemmFastGelu": _gemm_gelu,
    "GroupNorm": _group_norm,
    "MatMulBnb4": _packed_matmul,
    "MatMulNBits": _packed_matmul,
    "NhwcConv": partial(on_channels_last, _IMAGE["Conv"]),
    "NhwcFusedConv": partial(on_channels_last, _fused_conv),
    "NhwcMaxPool": partial(on_channels_last, _IMAGE["MaxPool"]),
    "QEmbedLayerNormalization": picked(_embed_norm, 0, 1, 2, 3, 4, 5, 6, 7),
    "QuickGelu": same_shape("swish"),
    "RotaryEmbedding": same_shape("RotaryEmbedding"),
    "SkipGroupNorm": _group_norm,
    "SkipLayerNormalization": _skip_norm("layernorm", 4),
    "SkipSimplifiedLayerNormalization": _skip_norm("rmsnorm", 3),
    "TransposeMatMul": _fused_matmul,
}

#: Rules of the domain ``com.microsoft.nchwc``: images whose channels are stored in blocks.
BLOCKED_HANDLERS: dict[str, Handler] = {
    "AveragePool": _IMAGE["AveragePool"],
    "Conv": _blocked_conv,
    "GlobalAveragePool": _IMAGE["GlobalAveragePool"],
    "GlobalMaxPool": _IMAGE["GlobalMaxPool"],
    "MaxPool": _IMAGE["MaxPool"],
    "ReorderInput": same_shape("identity"),
    "ReorderOutput": _unblocked,
    "Upsample": _blocked_upsample,
}
