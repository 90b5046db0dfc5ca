"""Evaluate ONNX ops on small constants: the chains of ops that compute the target of a reshape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from predictor_core.errors import MALFORMED
from predictor_core.frontends.common.values import (
    MAX_KNOWN_ELEMENTS,
    Array,
    as_ints,
    is_small,
    joined,
    spanned,
    take,
    tiled,
)

Attrs = Mapping[str, Any]
_Arrays = Sequence[Any]

_DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}


def fold(op: str, arrays: _Arrays, attrs: Attrs) -> tuple[Array, ...] | None:
    """Return the outputs of an op on known numbers, or None where the op is not one that is evaluated.

    Parameters
    ----------
    op : str
        ONNX op type.
    arrays : sequence of array or None
        Inputs; None stands for an optional one that is absent.
    attrs : mapping
        Attributes of the node.
    """
    function = _FUNCTIONS.get(op)
    if function is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = function(arrays, attrs)
    except MALFORMED:
        return None
    if result is None:
        return None
    return tuple(result) if isinstance(result, list) else (np.asarray(result),)


def _axes(arrays: _Arrays, attrs: Attrs) -> tuple[int, ...] | None:
    if len(arrays) > 1 and arrays[1] is not None:
        return as_ints(arrays[1])
    return tuple(attrs["axes"]) if "axes" in attrs else None


def _divide(arrays: _Arrays, attrs: Attrs) -> Any:
    a, b = arrays
    if not is_small(a, b):
        return None
    if np.issubdtype(np.result_type(a, b), np.integer):
        return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(np.result_type(a, b))
    return a / b


def _slice(arrays: _Arrays, attrs: Attrs) -> Any:
    data = arrays[0]
    if len(arrays) > 1:
        starts, ends = as_ints(arrays[1]), as_ints(arrays[2])
        axes = as_ints(arrays[3]) if len(arrays) > 3 and arrays[3] is not None else tuple(range(len(starts)))
        steps = as_ints(arrays[4]) if len(arrays) > 4 and arrays[4] is not None else (1,) * len(starts)
    else:
        starts, ends = attrs["starts"], attrs["ends"]
        axes, steps = attrs.get("axes", tuple(range(len(starts)))), (1,) * len(starts)
    cut = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps):
        # A negative step that ends before the first element can be written as None alone.
        stop = None if step < 0 and end < -data.shape[axis] else end
        cut[axis] = slice(start, stop, step)
    return data[tuple(cut)]


def _squeeze(arrays: _Arrays, attrs: Attrs) -> Any:
    return np.squeeze(arrays[0], _axes(arrays, attrs))


def _unsqueeze(arrays: _Arrays, attrs: Attrs) -> Any:
    return np.expand_dims(arrays[0], _axes(arrays, attrs) or ())


def _reshape(arrays: _Arrays, attrs: Attrs) -> Any:
    data, target = arrays[0], as_ints(arrays[1]) if len(arrays) > 1 else tuple(attrs["shape"])
    if not attrs.get("allowzero"):
        target = tuple([data.shape[i] if dim == 0 else dim for i, dim in enumerate(target)])
    return data.reshape(target)


def _filled(shape: tuple[int, ...], attrs: Attrs) -> Any:
    value = attrs["value"].array.reshape(()) if "value" in attrs else np.float32(0)
    return np.full(shape, value) if prod(shape) <= MAX_KNOWN_ELEMENTS else None


def _expand(arrays: _Arrays, attrs: Attrs) -> Any:
    shape = np.broadcast_shapes(arrays[0].shape, as_ints(arrays[1]))
    return np.broadcast_to(arrays[0], shape) if prod(shape) <= MAX_KNOWN_ELEMENTS else None


def _split(arrays: _Arrays, attrs: Attrs) -> Any:
    sizes = as_ints(arrays[1]) if len(arrays) > 1 and arrays[1] is not None else attrs.get("split")
    return (
        None if sizes is None else np.split(arrays[0], np.cumsum(sizes)[:-1].tolist(), attrs.get("axis", 0))
    )


def _reduction(function: Callable[..., Any]) -> Callable[[_Arrays, Attrs], Any]:
    def reduce(arrays: _Arrays, attrs: Attrs) -> Any:
        return function(arrays[0], axis=_axes(arrays, attrs) or None, keepdims=bool(attrs.get("keepdims", 1)))

    return reduce


def _plain(function: Callable[..., Any]) -> Callable[[_Arrays, Attrs], Any]:
    return lambda arrays, attrs: function(*arrays) if is_small(*arrays) else None


def _extreme(function: Any) -> Callable[[_Arrays, Attrs], Any]:
    return lambda arrays, attrs: function.reduce(np.broadcast_arrays(*arrays)) if is_small(*arrays) else None


def _cast(arrays: _Arrays, attrs: Attrs) -> Any:
    return arrays[0].astype(_DTYPES[attrs["to"]])


def _clip(arrays: _Arrays, attrs: Attrs) -> Any:
    """Bounds are inputs, or attributes before opset 11; either may be absent."""
    given = [*arrays[1:], None, None]
    low, high = (attrs.get(name) if bound is None else bound for name, bound in zip(("min", "max"), given))
    return arrays[0] if low is None and high is None else np.clip(arrays[0], low, high)


def dequantized(numbers: Array, scale: Array, zero: Array | None = None) -> Array | None:
    """Return the floats that integers of one scale stand for; None where there are several scales."""
    if scale.size != 1 or not is_small(numbers):
        return None
    return (numbers.astype(scale.dtype) - (0 if zero is None else zero.astype(scale.dtype))) * scale


_FUNCTIONS: dict[str, Callable[[_Arrays, Attrs], Any]] = {
    "Abs": _plain(np.abs),
    "Add": _plain(np.add),
    "And": _plain(np.logical_and),
    "Cast": _cast,
    "CastLike": lambda arrays, attrs: arrays[0].astype(arrays[1].dtype),
    "Ceil": _plain(np.ceil),
    "Clip": _clip,
    "Concat": lambda arrays, attrs: joined(np.concatenate, arrays, attrs["axis"]),
    "ConstantOfShape": lambda arrays, attrs: _filled(as_ints(arrays[0]), attrs),
    "DequantizeLinear": lambda arrays, attrs: dequantized(*arrays) if arrays[0].size == 1 else None,
    "Div": _divide,
    "Equal": _plain(np.equal),
    "Exp": _plain(np.exp),
    "Expand": _expand,
    "Floor": _plain(np.floor),
    "Gather": lambda arrays, attrs: take(arrays[0], arrays[1], attrs.get("axis", 0)),
    "Greater": _plain(np.greater),
    "GreaterOrEqual": _plain(np.greater_equal),
    "Identity": lambda arrays, attrs: arrays[0],
    "Less": _plain(np.less),
    "LessOrEqual": _plain(np.less_equal),
    "Log": _plain(np.log),
    "Max": _extreme(np.maximum),
    "Min": _extreme(np.minimum),
    "Mod": _plain(np.mod),
    "Mul": _plain(np.multiply),
    "Neg": _plain(np.negative),
    "NonZero": lambda arrays, attrs: np.array(np.nonzero(arrays[0])),
    "Not": _plain(np.logical_not),
    "Or": _plain(np.logical_or),
    "Pow": _plain(np.power),
    "Range": lambda arrays, attrs: spanned(*arrays),
    "Reciprocal": lambda arrays, attrs: 1 / arrays[0],
    "ReduceMax": _reduction(np.max),
    "ReduceMean": _reduction(np.mean),
    "ReduceMin": _reduction(np.min),
    "ReduceProd": _reduction(np.prod),
    "ReduceSum": _reduction(np.sum),
    "Reshape": _reshape,
    "Round": _plain(np.round),
    "Sign": _plain(np.sign),
    "Slice": _slice,
    "Split": _split,
    "Sqrt": _plain(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(np.subtract),
    "Tile": lambda arrays, attrs: tiled(*arrays),
    "Transpose": lambda arrays, attrs: np.transpose(arrays[0], attrs.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(np.where),
    "Xor": _plain(np.logical_xor),
}
