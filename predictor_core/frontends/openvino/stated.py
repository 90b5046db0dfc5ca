"""What the stated shapes of a layer tell where a constant of the absent ``.bin`` would have told it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from predictor_core.frontends.openvino.call import Call, Step
from predictor_core.frontends.openvino.image_ops import adaptive_pool, normalised
from predictor_core.ir.graph import Shape

#: Op -> canonical op of a layer of which only the shapes are known.
_NAMES = {
    "Broadcast": "expand",
    "Gather": "gather",
    "GatherND": "gather",
    "Interpolate": "resize",
    "Pad": "pad",
    "Reshape": "reshape",
    "Slice": "slice",
    "Split": "split",
    "Squeeze": "reshape",
    "StridedSlice": "slice",
    "Tile": "expand",
    "TopK": "topk",
    "Transpose": "transpose",
    "Unsqueeze": "reshape",
    "VariadicSplit": "split",
}
_REDUCTIONS = {
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceSum", "ReduceProd"), "reduce_sum"),
    **dict.fromkeys(("ReduceMax", "ReduceLogicalOr"), "reduce_max"),
    **dict.fromkeys(("ReduceMin", "ReduceLogicalAnd"), "reduce_min"),
    "ReduceMean": "reduce_mean",
}
#: Layers that keep the number of elements, and others that keep the batch.
_REARRANGING = frozenset({"Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_OF_BATCHES = frozenset(
    {
        *("AdaptiveAvgPool", "AdaptiveMaxPool", "Gather", "Interpolate", "MVN", "Pad", "Slice", "Split"),
        *("StridedSlice", "TopK", "VariadicSplit", *_REDUCTIONS),
    }
)
#: Transposes of a rank that models use most, for dimensions that are equal: heads of attention, windows.
_USUAL = {
    2: ((1, 0),),
    3: ((0, 2, 1), (1, 0, 2)),
    4: ((0, 2, 1, 3), (0, 3, 1, 2), (0, 2, 3, 1), (0, 1, 3, 2)),
    5: ((2, 0, 3, 1, 4), (0, 2, 1, 3, 4)),
    6: ((0, 1, 3, 2, 4, 5),),
}


def shapes(call: Call) -> tuple[Shape, ...]:
    """Return the stated shapes of the outputs, with open dimensions filled where the input tells them.

    An open batch is that of the input; where a layer only rearranges elements, their count tells one more
    dimension. No shapes are returned where a dimension stays open.
    """
    first = next((value.shape for value in call.inputs if value is not None and not value.is_constant), ())
    found = []
    for shape in call.layer.shapes:
        dims = list(shape)
        places = [place for place, dim in enumerate(shape) if dim < 1]
        rearranged = call.op in _REARRANGING
        if first and places[:1] == [0] and (len(places) == 2 if rearranged else call.op in _OF_BATCHES):
            dims[places.pop(0)] = first[0]
        if len(places) == 1 and rearranged:
            count, rest = divmod(prod(first), prod([dim for dim in dims if dim > 0]))
            dims[places.pop()] = 0 if rest else count
        if places or min(dims, default=1) < 1:
            return ()
        found.append(tuple(dims))
    return tuple(found)


def steps(call: Call, outputs: tuple[Shape, ...]) -> list[Step]:
    """Return a layer as its output shapes describe it."""
    if call.op == "MVN":
        # Over the last dimension, as transformers do.
        return normalised(call, (len(outputs[0]) - 1,), outputs[0])
    return [_step(call, outputs)]


def _step(call: Call, outputs: tuple[Shape, ...]) -> Step:
    reads = tuple([value for value in call.inputs if value is not None and not value.is_constant])
    op, out = call.op, outputs[0]
    before = call.shape() if call.has(0) else ()
    if op in _REDUCTIONS:
        axes = tuple(_removed(before, out, call.flag("keep_dims")))
        attrs: dict[str, Any] = {"axes": axes, "keepdims": call.flag("keep_dims")}
        return Step(_REDUCTIONS[op] if axes else "identity", reads, attrs if axes else {}, outputs)
    if op in ("AdaptiveAvgPool", "AdaptiveMaxPool"):
        return adaptive_pool(call, out)._replace(outputs=outputs)
    name = _NAMES.get(op, op)
    if name == "transpose":
        attrs = {"perm": _order(before, out)}
    elif name == "split":
        attrs = _split(before, outputs)
        name = name if len(outputs) > 1 else "identity"
    elif name == "gather":
        return _gather(call, reads, outputs)
    elif name == "resize":
        attrs = {"mode": call.text("mode", "nearest")}
    elif name == "pad":
        attrs = _pad(call, before, out)
    elif name == "slice":
        name, attrs = _slice(before, out)
    elif name == "topk":
        attrs = {"axis": int(call.number("axis"))}
    else:
        attrs = {}
    return Step(name, reads, attrs, outputs)


def _removed(before: Shape, after: Shape, kept: bool) -> list[int]:
    """Return the dimensions that a reduction removes, the last ones where several fit."""
    if kept:
        return [axis for axis, (a, b) in enumerate(zip(before, after)) if a != b]
    axes, place = [], 0
    for axis, dim in enumerate(before):
        if place < len(after) and after[place] == dim:
            place += 1
        else:
            axes.append(axis)
    return axes


def _order(before: Shape, after: Shape) -> tuple[int, ...]:
    """Return the order of the dimensions after a transpose."""
    rank = len(before)
    for order in _USUAL.get(rank, ()):
        if tuple([before[axis] for axis in order]) == after and _moves(before, order):
            return order
    left = list(range(rank))
    found = []
    for dim in after:
        place = next((axis for axis in left if before[axis] == dim), left[0])
        left.remove(place)
        found.append(place)
    return tuple(found)


def _moves(shape: Shape, order: Sequence[int]) -> bool:
    kept = [axis for axis in order if shape[axis] > 1]
    return kept != sorted(kept) or max(shape, default=1) == 1


def _split(before: Shape, outputs: tuple[Shape, ...]) -> dict[str, Any]:
    axis = next((axis for axis, dim in enumerate(before) if outputs[0][axis] != dim), 0)
    return {"axis": axis, "sizes": tuple([shape[axis] for shape in outputs])}


def _gather(call: Call, reads: tuple[Any, ...], outputs: tuple[Shape, ...]) -> Step:
    data, indices, out = call.value(0), call.value(1), outputs[0]
    if data.is_constant and not indices.is_constant and out == (*indices.shape, *data.shape[1:]):
        return Step("embedding", (indices,), {"table": data.shape}, outputs)
    fitting = [
        axis
        for axis in range(len(data.shape))
        if out == (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    ]
    return Step("gather", reads, {"axis": fitting[0]} if fitting else {}, outputs)


def _pad(call: Call, before: Shape, after: Shape) -> dict[str, Any]:
    pads = tuple([(0, b - a) for a, b in zip(before, after)])
    return {"pads": pads, "mode": call.text("pad_mode", "constant").lower()}


def _slice(before: Shape, after: Shape) -> tuple[str, dict[str, Any]]:
    if len(before) != len(after):
        return "slice", {}
    axes = tuple([axis for axis, (a, b) in enumerate(zip(before, after)) if a != b])
    return (
        ("slice", {"axes": axes, "starts": (0,) * len(axes), "steps": (1,) * len(axes)})
        if axes
        else ("identity", {})
    )
