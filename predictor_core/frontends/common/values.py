"""Values of a source graph as its converter knows them: a shape always, the numbers where they are few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from predictor_core.ir.graph import Shape
from predictor_core.ir.named import maker

Array = npt.NDArray[Any]

#: Warning of a Graph whose source computes in integers.
AS_FLOAT = "the model is quantised; its ops are costed as ops on floats"

#: Most dimensions of a tensor.
MAX_RANK = 64
#: Larger constants are weights: only their shape is kept.
MAX_KNOWN_ELEMENTS = 4096


class Value(NamedTuple):
    """A tensor of the source graph.

    ``node`` is the tensor of the Graph that holds it, None for a constant; ``array`` the numbers of a
    constant where they are known.
    """

    shape: Shape
    node: str | None = None
    array: Array | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the value does not depend on the inputs of the model."""
        return self.node is None


make_value = maker(Value)


class NotInferableError(Exception):
    """The output shapes of an op can't be told from what is known of its inputs."""


def constant(array: Any) -> Value:
    """Return the value of known numbers."""
    array = np.asarray(array)
    # Numbers that fit no numpy type are no part of a shape, and may grow without bound.
    known = array.size <= MAX_KNOWN_ELEMENTS and array.dtype.kind != "O"
    return Value(array.shape, None, array if known else None)


def is_small(*arrays: Any) -> bool:
    """Whether arrays broadcast to at most `MAX_KNOWN_ELEMENTS` numbers."""
    return prod(np.broadcast_shapes(*(np.shape(array) for array in arrays))) <= MAX_KNOWN_ELEMENTS


def take(data: Array, indices: Array, axis: int) -> Array | None:
    """Return ``np.take``, or None where that has more than `MAX_KNOWN_ELEMENTS` numbers."""
    sizes = [size for place, size in enumerate(data.shape) if place != axis % max(data.ndim, 1)]
    return np.take(data, indices, axis) if prod(sizes) * indices.size <= MAX_KNOWN_ELEMENTS else None


def spanned(start: Array, limit: Array, step: Array) -> Array | None:
    """Return ``np.arange``, or None where that has more than `MAX_KNOWN_ELEMENTS` numbers."""
    first, last, each = start.item(), limit.item(), step.item()
    if abs((last - first) / each) > MAX_KNOWN_ELEMENTS:
        return None
    return np.arange(first, last, each, dtype=start.dtype)


def tiled(data: Array, repeats: Array) -> Array | None:
    """Return ``np.tile``, or None where that has more than `MAX_KNOWN_ELEMENTS` numbers."""
    times = as_ints(repeats)
    return np.tile(data, times) if data.size * prod(times) <= MAX_KNOWN_ELEMENTS else None


def joined(function: Callable[..., Array], arrays: Sequence[Array], axis: int) -> Array | None:
    """Return ``np.concatenate`` or ``np.stack``, or None where that has more than `MAX_KNOWN_ELEMENTS`."""
    return function(arrays, axis=axis) if sum(array.size for array in arrays) <= MAX_KNOWN_ELEMENTS else None


def as_ints(values: Sequence[Any] | Array) -> tuple[int, ...]:
    """Return a sequence of numbers as a tuple of Python ints."""
    return tuple([int(value) for value in np.asarray(values).reshape(-1).tolist()])
