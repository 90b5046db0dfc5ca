"""Evaluate TensorFlow ops on small constants: the chains that compute a reshape's target."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from predictor_core.errors import MALFORMED
from predictor_core.frontends.common.values import (
    MAX_KNOWN_ELEMENTS,
    Array,
    Value,
    constant,
    is_small,
    joined,
    spanned,
    take,
    tiled,
)
from predictor_core.frontends.tensorflow.call import Call, Step
from predictor_core.frontends.tensorflow.data_ops import cut
from predictor_core.frontends.tensorflow.messages import DTYPES


def fold(call: Call) -> list[Array] | None:
    """Return the outputs of an op on known numbers, or None where the op is not one that is evaluated."""
    function = _FUNCTIONS.get(call.op)
    if function is None:
        return None
    arrays = [value.array for value in call.inputs]
    if any(array is None for array in arrays):
        return None
    try:
        with np.errstate(all="ignore"):
            result = function(call, arrays)
    except MALFORMED:
        return None
    if result is None:
        return None
    return [np.asarray(array) for array in result] if isinstance(result, list) else [np.asarray(result)]


def constants(call: Call, steps: Callable[[], list[Step]]) -> list[Value]:
    """Return the results of an op on constants: their numbers where those are known, else shapes.

    `steps` returns what the op becomes.
    """
    folded = fold(call)
    if folded is not None:
        return [constant(array) for array in folded]
    return [Value(shape) for shape in steps()[-1].outputs]


def _plain(function: Callable[..., Any]) -> Callable[[Call, list[Any]], Any]:
    return lambda call, arrays: function(*arrays) if is_small(*arrays) else None


def _reduction(function: Callable[..., Any]) -> Callable[[Call, list[Any]], Any]:
    def reduce(call: Call, arrays: list[Any]) -> Any:
        return function(arrays[0], axis=call.ints(1), keepdims=call.node.boolean("keep_dims"))

    return reduce


def _fill(call: Call, arrays: list[Any]) -> Any:
    shape = call.ints(0)
    return np.full(shape, arrays[1]) if prod(shape) <= MAX_KNOWN_ELEMENTS else None


def _cast(call: Call, arrays: list[Any]) -> Any:
    dtype = DTYPES.get(call.node.type("DstT"))
    return None if dtype is None else arrays[0].astype(dtype)


def _split(call: Call, arrays: list[Any]) -> Any:
    count = call.node.integer("num_split", 1)
    return np.split(arrays[1], count, call.ints(0)[0]) if 0 < count <= MAX_KNOWN_ELEMENTS else None


def _split_by_sizes(call: Call, arrays: list[Any]) -> Any:
    sizes = [int(size) for size in arrays[1]]
    if -1 in sizes or sum(sizes) != arrays[0].shape[call.ints(2)[0]]:
        return None
    return np.split(arrays[0], np.cumsum(sizes[:-1]), call.ints(2)[0])


def _squeeze(call: Call, arrays: list[Any]) -> Any:
    return np.squeeze(arrays[0], call.node.integers("squeeze_dims") or None)


def _unpack(call: Call, arrays: list[Any]) -> Any:
    axis = call.node.integer("axis")
    return [np.take(arrays[0], index, axis) for index in range(arrays[0].shape[axis])]


_FUNCTIONS: dict[str, Callable[[Call, list[Any]], Any]] = {
    "Abs": _plain(np.abs),
    "Add": _plain(np.add),
    "AddV2": _plain(np.add),
    "All": _reduction(np.all),
    "Any": _reduction(np.any),
    "Cast": _cast,
    "Ceil": _plain(np.ceil),
    "ConcatV2": lambda call, arrays: joined(np.concatenate, arrays[:-1], call.ints(-1)[0]),
    "Equal": _plain(np.equal),
    "ExpandDims": lambda call, arrays: np.expand_dims(arrays[0], call.ints(1)),
    "Fill": _fill,
    "Floor": _plain(np.floor),
    "FloorDiv": _plain(np.floor_divide),
    "FloorMod": _plain(np.mod),
    "Gather": lambda call, arrays: take(arrays[0], arrays[1], 0),
    "GatherV2": lambda call, arrays: take(arrays[0], arrays[1], call.ints(2)[0]),
    "Greater": _plain(np.greater),
    "GreaterEqual": _plain(np.greater_equal),
    "Less": _plain(np.less),
    "LessEqual": _plain(np.less_equal),
    "LogicalAnd": _plain(np.logical_and),
    "LogicalNot": _plain(np.logical_not),
    "LogicalOr": _plain(np.logical_or),
    "Max": _reduction(np.max),
    "Maximum": _plain(np.maximum),
    "Min": _reduction(np.min),
    "Minimum": _plain(np.minimum),
    "Mul": _plain(np.multiply),
    "Neg": _plain(np.negative),
    "NotEqual": _plain(np.not_equal),
    "OnesLike": _plain(np.ones_like),
    "Pack": lambda call, arrays: joined(np.stack, arrays, call.node.integer("axis")),
    "Prod": _reduction(np.prod),
    "Range": lambda call, arrays: spanned(*arrays),
    "RealDiv": _plain(np.divide),
    "Reshape": lambda call, arrays: arrays[0].reshape(call.ints(1)),
    "Round": _plain(np.round),
    "Rsqrt": lambda call, arrays: 1 / np.sqrt(arrays[0]),
    "Select": _plain(np.where),
    "SelectV2": _plain(np.where),
    "Slice": lambda call, arrays: arrays[0][
        tuple([slice(a, None if n == -1 else a + n) for a, n in zip(call.ints(1), call.ints(2))])
    ],
    "Split": _split,
    "SplitV": _split_by_sizes,
    "Sqrt": _plain(np.sqrt),
    "Square": _plain(np.square),
    "Squeeze": _squeeze,
    "StridedSlice": lambda call, arrays: cut(call, arrays[0]),
    "Sub": _plain(np.subtract),
    "Sum": _reduction(np.sum),
    "Tile": lambda call, arrays: tiled(*arrays),
    "Transpose": lambda call, arrays: np.transpose(*arrays),
    "Unpack": _unpack,
    "ZerosLike": _plain(np.zeros_like),
}
