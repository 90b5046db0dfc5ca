"""OpenVINO ops on tensors of any rank, most of them read as the ONNX op that means the same."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import NotInferableError, Value, constant
from predictor_core.frontends.onnx.attention import attend
from predictor_core.frontends.onnx.call import Handler as OnnxHandler
from predictor_core.frontends.onnx.compose import Read, Steps
from predictor_core.frontends.onnx.data_ops import HANDLERS as ONNX_DATA
from predictor_core.frontends.onnx.dense_ops import HANDLERS as ONNX_DENSE
from predictor_core.frontends.openvino.call import Call, Handler, Step

#: The ONNX ops that layers are read as.
ONNX: dict[str, OnnxHandler] = {**ONNX_DATA, **ONNX_DENSE}

Arranged = Callable[[Call], "tuple[str, list[Value | None] | None, dict[str, Any]]"]


def as_onnx(arrange: Arranged) -> Handler:
    """Return the handler of a layer that is an ONNX op with other inputs or attributes."""

    def handler(call: Call) -> Step | list[Step]:
        op, inputs, attrs = arrange(call)
        return ONNX[op](call.as_onnx(op, inputs, **attrs))

    return handler


def _named(op: str) -> Arranged:
    return lambda call: (op, None, {})


def _with_axis(op: str) -> Arranged:
    return lambda call: (op, None, {"axis": int(call.number("axis", 1 if op == "Softmax" else -1))})


def _reduction(op: str) -> Arranged:
    return lambda call: (op, None, {"keepdims": int(call.flag("keep_dims"))})


def _transpose(call: Call) -> tuple[str, list[Value | None], dict[str, Any]]:
    order = call.ints(1) if call.has(1) else ()
    return "Transpose", [call.value()], {"perm": order} if order else {}


def _gather(call: Call) -> tuple[str, list[Value | None], dict[str, Any]]:
    if int(call.number("batch_dims", 0)):
        raise NotInferableError("it gathers from batches")
    return "Gather", list(call.inputs[:2]), {"axis": call.ints(2)[0]}


def _split(call: Call) -> tuple[str, list[Value | None], dict[str, Any]]:
    count = int(call.number("num_splits"))
    if count != len(call.layer.outputs):
        raise call.error(f"splits into {count} parts and has {len(call.layer.outputs)} outputs")
    return "Split", [call.value()], {"axis": call.ints(1)[0], "num_outputs": count}


def _variadic_split(call: Call) -> tuple[str, list[Value | None], dict[str, Any]]:
    lengths, axis = call.ints(2), call.ints(1)[0]
    if -1 in lengths:
        rest = call.shape()[axis] - sum(lengths) - 1
        lengths = tuple([rest if length == -1 else length for length in lengths])
    return "Split", [call.value(), constant(lengths)], {"axis": axis}


def _slice(call: Call) -> tuple[str, list[Value | None], dict[str, Any]]:
    given = list(call.inputs)
    axes = given.pop(4) if len(given) > 4 else None
    return "Slice", [*given[:3], axes, *given[3:]], {}


def _pad(call: Call) -> tuple[str, list[Value | None], dict[str, Any]]:
    pads = constant((*call.ints(1), *call.ints(2)))
    return "Pad", [call.value(), pads], {"mode": call.text("pad_mode", "constant").lower()}


def _broadcast(call: Call) -> tuple[str, list[Value | None], dict[str, Any]]:
    if call.text("mode", "numpy").lower() not in ("numpy", "bidirectional") or call.has(2):
        raise NotInferableError("it maps axes")
    return "Expand", list(call.inputs[:2]), {}


def _strided_slice(call: Call) -> Step | list[Step]:
    """Begin, end and strides are inputs; masks say where they do not count."""
    x, begin, end = call.shape(), call.ints(1), call.ints(2)
    strides = call.ints(3) if call.has(3) else (1,) * len(begin)
    rank = len(begin)
    masks = {
        key: (*call.integers(f"{key}_mask"), *(0,) * rank)[:rank]
        for key in ("begin", "end", "new_axis", "shrink_axis", "ellipsis")
    }
    if any(masks["ellipsis"]):
        raise NotInferableError("it has an ellipsis")
    out, kept, axes, starts, steps = [], [], [], [], []
    axis = 0
    for place in range(rank):
        if masks["new_axis"][place]:
            out.append(1)
            continue
        dim = x[axis]
        if masks["shrink_axis"][place]:
            taken = range(dim)[begin[place]]
            first, length, step = taken, 1, 1
        else:
            start = None if masks["begin"][place] else begin[place]
            stop = None if masks["end"][place] else end[place]
            places = range(dim)[start : stop : strides[place]]
            first, length, step = places.start, len(places), strides[place]
            out.append(length)
        kept.append(length)
        if length != dim:
            axes.append(axis)
            starts.append(first)
            steps.append(step)
        axis += 1
    kept += x[axis:]
    out += x[axis:]
    if not axes and all(stride > 0 for stride in strides):
        return call.step("reshape", tuple(out))
    cut = call.step("slice", tuple(kept), axes=tuple(axes), starts=tuple(starts), steps=tuple(steps))
    return cut if kept == out else [cut, Step("reshape", (0,), {}, (tuple(out),))]


def _matmul(call: Call) -> list[Step]:
    """Either operand may be transposed first; a constant one is stored so."""
    steps: list[Step] = []
    operands: list[Value] = []
    moved: dict[int, int] = {}
    for index, flag in enumerate(("transpose_a", "transpose_b")):
        value = call.value(index)
        if call.flag(flag) and len(value.shape) > 1:
            shape = (*value.shape[:-2], value.shape[-1], value.shape[-2])
            if not value.is_constant:
                rank = len(shape)
                perm = (*range(rank - 2), rank - 1, rank - 2)
                moved[index] = len(steps)
                steps.append(Step("transpose", (value,), {"perm": perm}, (shape,)))
            value = value._replace(shape=shape)
        operands.append(value)
    product = ONNX_DENSE["MatMul"](call.as_onnx("MatMul", list(operands)))
    assert isinstance(product, Step)
    reads = []
    for read in product.reads:
        place = next((index for index, value in enumerate(operands) if value is read), -1)
        reads.append(moved.get(place, read))
    return [*steps, product._replace(reads=tuple(reads))]


def _attention(call: Call) -> Steps:
    """Read queries, keys and values, (..., length, width); a mask, which is a scalar where there is none."""
    steps = Steps()
    query, key, value = [Read(call.value(index), call.shape(index)) for index in range(3)]
    masks = [Read(call.value(3), call.shape(3))] if call.has(3) and call.shape(3) else []
    attend(steps, query, key, value, masks)
    if not steps:
        raise NotInferableError("its inputs are constants")
    return steps


def _squared_difference(call: Call) -> list[Step]:
    difference = ONNX_DENSE["Sub"](call.as_onnx("Sub"))
    assert isinstance(difference, Step)
    return [difference, Step("square", (0,), {}, difference.outputs)]


def recurrent(op: str) -> Handler:
    """Return the handler of a layer over a whole sequence: (batch, steps, features) in."""

    def handler(call: Call) -> Step:
        x, hidden = call.shape(), int(call.number("hidden_size"))
        if len(x) != 3 or hidden < 1:
            raise call.error(f"takes a sequence of 3 dimensions, got {list(x)}")
        both = call.text("direction").lower() == "bidirectional"
        directions = 2 if both else 1
        outputs = ((x[0], directions, x[1], hidden), *[(x[0], directions, hidden)] * 2)
        attrs = {"hidden": hidden, "layers": 1, "bidirectional": both}
        return Step(op, (call.value(),), attrs, outputs[: max(len(call.layer.outputs), 1)])

    return handler


def cell(op: str) -> Handler:
    """Return the handler of one step of a recurrent layer, whose state is an input."""

    def handler(call: Call) -> Step:
        x, hidden = call.shape(), int(call.number("hidden_size"))
        attrs = {"hidden": hidden, "layers": 1, "bidirectional": False}
        return Step(op, (call.value(),), attrs, ((x[0], hidden),) * max(len(call.layer.outputs), 1))

    return handler


def _of_first(call: Call) -> Step:
    """Read all inputs; the output has the shape of the first."""
    return Step(call.op, tuple([value for value in call.inputs if value is not None]), {}, (call.shape(),))


def _embedding_bag(call: Call) -> list[Step]:
    """Rows of a table, summed by bags, which are taken for equally long."""
    table, indices = call.shape(0), call.shape(1)
    if "Packed" in call.op:
        rows = indices[0]
    elif call.op == "EmbeddingSegmentsSum":
        rows = call.ints(3)[0]
    else:
        rows = call.shape(2)[0]
    each = max(prod(indices) // max(rows, 1), 1)
    found = Step("embedding", (call.value(1),), {"table": table}, ((rows, each, *table[1:]),))
    op = "reduce_mean" if call.text("reduction").lower() == "mean" else "reduce_sum"
    return [found, Step(op, (0,), {"axes": (1,), "keepdims": False}, ((rows, *table[1:]),))]


#: Ops that ONNX has, under the same name or another.
_ALIKE = """
Abs Add Cos Elu Equal Erf Exp Floor Gelu Greater HardSigmoid Less Log Mish Mod Relu Round Selu Sigmoid Sign
Sin Sqrt Squeeze Swish Tan Tanh Tile Unsqueeze
"""
_NAMES = {
    **{op: op for op in _ALIKE.split()},
    "Ceiling": "Ceil",
    "Divide": "Div",
    "FloorMod": "Mod",
    "GreaterEqual": "GreaterOrEqual",
    "HSigmoid": "HardSigmoid",
    "HSwish": "HardSwish",
    "LessEqual": "LessOrEqual",
    "LogicalAnd": "And",
    "LogicalNot": "Not",
    "LogicalOr": "Or",
    "LogicalXor": "Xor",
    "Maximum": "Max",
    "Minimum": "Min",
    "Multiply": "Mul",
    "Negative": "Neg",
    "Power": "Pow",
    "ReLU": "Relu",
    "Select": "Where",
    "SoftPlus": "Softplus",
    "SoftSign": "Softsign",
    "Subtract": "Sub",
}
_REDUCTIONS = {
    **{f"Reduce{kind}": f"Reduce{kind}" for kind in ("L1", "L2", "Max", "Mean", "Min", "Prod", "Sum")},
    "ReduceLogicalAnd": "ReduceMin",
    "ReduceLogicalOr": "ReduceMax",
}

#: Ops that ONNX has with other inputs or attributes.
ARRANGED: dict[str, Arranged] = {
    **{op: _named(name) for op, name in _NAMES.items()},
    **{op: _reduction(name) for op, name in _REDUCTIONS.items()},
    "Broadcast": _broadcast,
    "Clamp": lambda call: ("Clip", None, {"min": call.number("min"), "max": call.number("max")}),
    "Concat": _with_axis("Concat"),
    "Einsum": lambda call: ("Einsum", None, {"equation": call.text("equation")}),
    "Gather": _gather,
    "GatherElements": _with_axis("GatherElements"),
    "GatherND": lambda call: ("GatherND", None, {"batch_dims": int(call.number("batch_dims", 0))}),
    "LogSoftmax": _with_axis("LogSoftmax"),
    "OneHot": lambda call: ("OneHot", None, {"axis": int(call.number("axis"))}),
    "Pad": _pad,
    "Reshape": lambda call: ("Reshape", None, {"allowzero": int(not call.flag("special_zero"))}),
    "Slice": _slice,
    "SoftMax": _with_axis("Softmax"),
    "Softmax": _with_axis("Softmax"),
    "Split": _split,
    "TopK": lambda call: ("TopK", None, {"axis": int(call.number("axis")), "k": call.ints(1)[0]}),
    "Transpose": _transpose,
    "VariadicSplit": _variadic_split,
}

HANDLERS: dict[str, Handler] = {
    **{op: as_onnx(arrange) for op, arrange in ARRANGED.items()},
    **dict.fromkeys(("CumSum", "ReverseSequence", "Reverse", "SoftSign", "IsNaN", "IsInf"), _of_first),
    **dict.fromkeys(("ScatterUpdate", "ScatterNDUpdate", "ScatterElementsUpdate"), _of_first),
    **dict.fromkeys(("EmbeddingBagOffsets", "EmbeddingBagOffsetsSum"), _embedding_bag),
    **dict.fromkeys(("EmbeddingBagPacked", "EmbeddingBagPackedSum", "EmbeddingSegmentsSum"), _embedding_bag),
    "GRUCell": cell("gru"),
    "GRUSequence": recurrent("gru"),
    "LSTMCell": cell("lstm"),
    "LSTMSequence": recurrent("lstm"),
    "MatMul": _matmul,
    "RNNCell": cell("rnn"),
    "RNNSequence": recurrent("rnn"),
    "Roll": same_shape("roll"),
    "ScaledDotProductAttention": _attention,
    "SquaredDifference": _squared_difference,
    "StridedSlice": _strided_slice,
}
