"""ONNX ops that move data: reshapes, transposes, joins and cuts."""

from __future__ import annotations

from math import prod

from predictor_core.errors import GraphError
from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.ir.shapes import broadcast


def _reshape(call: Call) -> Step:
    x = call.shape(0)
    target = call.ints_of("shape", 1)
    if target is None:
        raise call.error("has no target shape")
    if not call.attrs.get("allowzero"):
        if any(dim == 0 and axis >= len(x) for axis, dim in enumerate(target)):
            raise call.error(f"target {list(target)} copies a dimension that {list(x)} has not")
        target = tuple([x[axis] if dim == 0 else dim for axis, dim in enumerate(target)])
    known = prod(dim for dim in target if dim != -1)
    if target.count(-1) == 1 and known > 0:
        target = tuple([prod(x) // known if dim == -1 else dim for dim in target])
    if prod(target) != prod(x) or min(target, default=1) < 0:
        raise call.error(f"can't reshape {list(x)} to {list(target)}")
    return call.step("reshape", target)


def _flatten(call: Call) -> Step:
    x = call.shape(0)
    axis = call.attrs.get("axis", 1)
    axis = axis + len(x) if axis < 0 else axis
    return call.step("reshape", (prod(x[:axis]), prod(x[axis:])))


def _squeeze(call: Call) -> Step:
    x = call.shape(0)
    given = call.ints_of("axes", 1)
    if given is None:
        return call.step("reshape", tuple([dim for dim in x if dim != 1]))
    axes = {call.checked_axis(axis, len(x)) for axis in given}
    return call.step("reshape", tuple([dim for axis, dim in enumerate(x) if axis not in axes]))


def _unsqueeze(call: Call) -> Step:
    x = call.shape(0)
    given = call.ints_of("axes", 1) or ()
    rank = len(x) + len(given)
    axes = {call.checked_axis(axis, rank) for axis in given}
    if len(axes) < len(given):
        raise call.error(f"axes {list(given)} name a dimension twice")
    dims = iter(x)
    return call.step("reshape", tuple([1 if axis in axes else next(dims) for axis in range(rank)]))


def _transpose(call: Call) -> Step:
    x = call.shape(0)
    perm = tuple(call.attrs.get("perm", range(len(x))[::-1]))
    if sorted(perm) != list(range(len(x))):
        raise call.error(f"perm {list(perm)} does not fit {list(x)}")
    return call.step("transpose", tuple([x[axis] for axis in perm]), perm=perm)


def _concat(call: Call) -> Step:
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    first = shapes[0]
    axis = call.axis(1, len(first))
    for shape in shapes[1:]:
        if len(shape) != len(first) or any(a != b for i, (a, b) in enumerate(zip(shape, first)) if i != axis):
            raise call.error(f"can't join {', '.join(str(list(s)) for s in shapes)} on axis {axis}")
    out = (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
    return Step("concat", tuple(filter(None, call.inputs)), {"axis": axis}, (out,))


def _split(call: Call) -> Step:
    x = call.shape(0)
    axis = call.axis(0, len(x))
    sizes = call.ints_of("split", 1)
    if sizes is None:
        parts = call.attrs.get("num_outputs", call.outputs)
        if parts != call.outputs:
            raise call.error(f"has {call.outputs} outputs, but num_outputs is {parts}")
        size = -(-x[axis] // parts)
        sizes = (*[size] * (parts - 1), x[axis] - size * (parts - 1))
    if sum(sizes) != x[axis] or len(sizes) != call.outputs:
        raise call.error(f"can't split {list(x)} on axis {axis} into {list(sizes)}")
    outputs = tuple([(*x[:axis], size, *x[axis + 1 :]) for size in sizes])
    return Step("split", (call.value(0),), {"axis": axis, "sizes": sizes}, outputs)


def _slice(call: Call) -> Step:
    x = call.shape(0)
    starts, ends = call.ints_of("starts", 1), call.ints_of("ends", 2)
    if starts is None or ends is None:
        raise call.error("has no starts and ends")
    axes = call.ints_of("axes", 3) or tuple(range(len(starts)))
    steps = call.ints_of("steps", 4) or (1,) * len(starts)
    out = list(x)
    first, places = [], []
    for axis, start, end, step in zip(axes, starts, ends, steps):
        place = call.checked_axis(axis, len(x))
        # Python's own rule clamps as ONNX does, but for an end far below zero with a negative step.
        stop = None if step < 0 and end < -x[place] else end
        taken = range(*slice(start, stop, step).indices(x[place]))
        out[place] = len(taken)
        first.append(taken.start)
        places.append(place)
    return call.step("slice", tuple(out), axes=tuple(places), starts=tuple(first), steps=steps)


def _pad(call: Call) -> Step:
    x = call.shape(0)
    given = call.ints_of("pads", 1) or call.ints_of("paddings", 1) or (0,) * (2 * len(x))
    axes = call.ints(3) if call.has(3) else tuple(range(len(x)))
    if len(given) != 2 * len(axes):
        raise call.error(f"pads {list(given)} don't fit {list(x)}")
    pads = [(0, 0)] * len(x)
    for place, axis in enumerate(axes):
        pads[call.checked_axis(axis, len(x))] = (given[place], given[place + len(axes)])
    out = tuple([dim + before + after for dim, (before, after) in zip(x, pads)])
    return call.step("pad", out, pads=tuple(pads), mode=call.attrs.get("mode", "constant"))


def _gather(call: Call) -> Step:
    data, indices = call.value(0), call.value(1)
    axis = call.axis(0, len(data.shape))
    out = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    if data.is_constant and not indices.is_constant and axis == 0:
        return Step("embedding", (indices,), {"table": data.shape}, (out,))
    known = prod(indices.shape) == data.shape[axis] and indices.array is not None
    if known and call.ints(1) == tuple(range(data.shape[axis])):
        return call.step("reshape", out)
    return Step("gather", (data, indices), {"axis": axis}, (out,))


def _gather_elements(call: Call) -> Step:
    axis = call.axis(0, len(call.shape(0)))
    return call.step("gather", call.shape(1), 0, 1, axis=axis)


def _gather_nd(call: Call) -> Step:
    data, indices = call.shape(0), call.shape(1)
    batch = call.attrs.get("batch_dims", 0)
    return call.step("gather", indices[:-1] + data[batch + indices[-1] :], 0, 1)


def _expand(call: Call) -> Step:
    x = call.shape(0)
    try:
        return call.step("expand", broadcast(x, call.ints(1)))
    except GraphError as error:
        raise call.error(str(error)) from None


def _tile(call: Call) -> Step:
    return call.step("expand", tuple([dim * times for dim, times in zip(call.shape(0), call.ints(1))]))


def _one_hot(call: Call) -> Step:
    x = call.shape(0)
    axis = call.axis(-1, len(x) + 1)
    return call.step("OneHot", (*x[:axis], call.ints(1)[0], *x[axis:]))


def _constant_of_shape(call: Call) -> Step:
    return call.step("ConstantOfShape", call.ints(0))


def _topk(call: Call) -> Step:
    x = call.shape(0)
    axis = call.axis(-1, len(x))
    count = call.attrs["k"] if "k" in call.attrs else call.ints(1)[0]
    out = (*x[:axis], count, *x[axis + 1 :])
    return Step("topk", (call.value(0),), {"axis": axis}, (out,) * call.outputs)


def _stft(call: Call) -> Step:
    """Fourier transforms of overlapping frames: (batch, frames, frequencies, 2)."""
    batch, samples = call.shape(0)[:2]
    length = call.shape(2)[0] if call.has(2) else call.ints(3)[0]
    frames = (samples - length) // call.ints(1)[0] + 1
    frequencies = length // 2 + 1 if call.attrs.get("onesided", 1) else length
    return call.step("STFT", (batch, frames, frequencies, 2))


def _scatter(call: Call) -> Step:
    return Step(call.op, tuple(filter(None, call.inputs)), {}, (call.shape(0),))


HANDLERS: dict[str, Handler] = {
    "TopK": _topk,
    "ScatterND": _scatter,
    "ScatterElements": _scatter,
    "STFT": _stft,
    "Cast": same_shape("cast"),
    "CastLike": same_shape("cast"),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": same_shape("dropout"),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Identity": same_shape("identity"),
    "OneHot": _one_hot,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
