"""ONNX ops whose output is as large as the data makes it: the largest that can be is taken, and told."""

from __future__ import annotations

from math import prod

from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.ir.graph import Shape


def _bounded(call: Call, what: str, count: int, output: Shape) -> Step:
    call.warnings.append(
        f"how much {call.op} {call.name!r} finds depends on the data; all {count} {what} are assumed"
    )
    return call.step(call.op, output)


def _non_zero(call: Call) -> Step:
    x = call.shape(0)
    return _bounded(call, "elements", prod(x), (len(x), prod(x)))


def _compress(call: Call) -> Step:
    x = call.shape(0)
    if "axis" not in call.attrs:
        return _bounded(call, "elements", prod(x), (prod(x),))
    axis = call.axis(0, len(x))
    return _bounded(call, "slices", x[axis], x)


def _unique(call: Call) -> Step:
    x = call.shape(0)
    axis = call.axis(0, len(x)) if "axis" in call.attrs else None
    count = prod(x) if axis is None else x[axis]
    first = (prod(x),) if axis is None else x
    step = _bounded(call, "values", count, first)
    inverse = (prod(x),) if axis is None else (x[axis],)
    return step._replace(outputs=(first, (count,), inverse, (count,))[: call.outputs])


def _suppress(call: Call) -> Step:
    """Boxes that are left when those that overlap a better one of their class are dropped."""
    (batch, classes, boxes) = call.shape(1)
    each = boxes
    if call.has(2) and call.value(2).array is not None:
        each = min(boxes, max(call.ints(2)[0], 1))
    count = batch * classes * each
    return _bounded(call, "boxes", count, (count, 3))._replace(reads=(call.value(0), call.value(1)))


HANDLERS: dict[str, Handler] = {
    "Compress": _compress,
    "NonMaxSuppression": _suppress,
    "NonZero": _non_zero,
    "Unique": _unique,
}
