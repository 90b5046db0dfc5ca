"""TensorFlow Lite ops with weights that work on vectors and sequences."""

from __future__ import annotations

from math import prod

from predictor_core.frontends.common.values import Value
from predictor_core.frontends.tflite.call import Call, Handler, Step, activated
from predictor_core.ir.graph import Shape


def _fully_connected(call: Call) -> list[Step]:
    """Weights are (outputs, inputs); an input of more dimensions is a batch of vectors."""
    x, weight = call.shape(), call.value(1)
    if len(weight.shape) != 2 or not x or prod(x) % max(weight.shape[1], 1):
        raise call.error(f"weights {list(weight.shape)} do not fit {list(x)}")
    outputs, inputs = weight.shape
    rows = (*x[:-1],) if call.node.boolean("keep_num_dims") else (prod(x) // inputs,)
    steps: list[Step] = []
    source: Value | int = call.value()
    if (*rows, inputs) != x:
        steps.append(call.step("reshape", (*rows, inputs)))
        source = 0
    if weight.is_constant:
        steps.append(Step("fc", (source,), {"bias": call.has(2)}, ((*rows, outputs),)))
        return steps
    steps.append(Step("transpose", (weight,), {"perm": (1, 0)}, ((inputs, outputs),)))
    attrs = {"const_shape": x, "const_first": True} if call.value().is_constant else {}
    steps.append(Step("matmul", (source, len(steps) - 1), attrs, ((*rows, outputs),)))
    if call.has(2):
        bias = call.value(2)
        attrs = {"const_shape": bias.shape} if bias.is_constant else {}
        steps.append(Step("add", (len(steps) - 1, bias), attrs, ((*rows, outputs),)))
    return steps


def _embedding_lookup(call: Call) -> Step:
    table, ids = call.shape(1), call.value()
    return Step("embedding", (ids,), {"table": table}, ((*ids.shape, *table[1:]),))


def _sequence(call: Call) -> Shape:
    """Return the shape of the input, (batch, steps, features)."""
    x = call.shape()
    if len(x) != 3:
        raise call.error(f"takes a sequence of 3 dimensions, got {list(x)}")
    return x


def _recurrent(op: str, recurrent_weights: int, projection: int | None = None) -> Handler:
    """Return the handler of a layer; `recurrent_weights` is the input that tells how many units it has."""

    def handler(call: Call) -> Step:
        x = _sequence(call)
        hidden = call.shape(recurrent_weights)[0]
        width = call.shape(projection)[0] if projection is not None and call.has(projection) else hidden
        return call.step(op, (*x[:2], width), hidden=hidden, layers=1, bidirectional=False)

    return handler


def _bidirectional(op: str, forward: int, backward: int) -> Handler:
    def handler(call: Call) -> Step:
        x = _sequence(call)
        hidden, back = call.shape(forward)[0], call.shape(backward)[0]
        widths = (hidden + back,) if call.node.boolean("merge_outputs") else (hidden, back)
        outputs = tuple([(*x[:2], width) for width in widths])
        attrs = {"hidden": hidden, "layers": 1, "bidirectional": True}
        return Step(op, (call.value(),), attrs, outputs)

    return handler


def _svdf(call: Call) -> list[Step]:
    """Write a product with the features, a filter over the time that is kept, and a sum over the rank."""
    batch, _ = call.shape()
    (filters, _), (_, memory), rank = call.shape(1), call.shape(2), call.option("rank", 1)
    if rank < 1 or filters % rank:
        raise call.error(f"{filters} filters do not fit rank {rank}")
    window = {"kernel": (memory, 1), "strides": (1, 1), "pads": (memory - 1, 0, 0, 0), "dilations": (1, 1)}
    steps = [
        Step("fc", (call.value(),), {"bias": False}, ((batch, filters),)),
        Step("reshape", (0,), {}, ((batch, 1, 1, filters),)),
        Step("dwconv", (1,), {**window, "groups": filters, "bias": call.has(3)}, ((batch, 1, 1, filters),)),
    ]
    if rank > 1:
        steps.append(Step("reshape", (2,), {}, ((batch, filters // rank, rank),)))
        attrs = {"axes": (2,), "keepdims": False}
        steps.append(Step("reduce_sum", (3,), attrs, ((batch, filters // rank),)))
        return steps
    return [*steps, Step("reshape", (2,), {}, ((batch, filters),))]


HANDLERS: dict[str, Handler] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": _bidirectional("lstm", 2, 19),
    "BIDIRECTIONAL_SEQUENCE_RNN": _bidirectional("rnn", 1, 5),
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "FULLY_CONNECTED": activated(_fully_connected),
    "SVDF": activated(_svdf),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent("lstm", 2, 16),
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent("rnn", 1),
}
