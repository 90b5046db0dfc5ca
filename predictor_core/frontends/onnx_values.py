"""Values of an ONNX graph as the converter knows them: a shape always, the numbers where they are few."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from predictor_core.ir.graph import Shape

Array = npt.NDArray[Any]

#: Larger constants are weights: only their shape is kept.
MAX_KNOWN_ELEMENTS = 4096

#: ``TensorProto.DataType`` -> numpy type and the field that holds the numbers when ``raw_data`` doesn't.
_TYPES: dict[int, tuple[Any, str]] = {
    1: (np.float32, "float_data"),
    2: (np.uint8, "int32_data"),
    3: (np.int8, "int32_data"),
    4: (np.uint16, "int32_data"),
    5: (np.int16, "int32_data"),
    6: (np.int32, "int32_data"),
    7: (np.int64, "int64_data"),
    9: (np.bool_, "int32_data"),
    10: (np.float16, ""),
    11: (np.float64, "double_data"),
    12: (np.uint32, "uint64_data"),
    13: (np.uint64, "uint64_data"),
}


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


class NotInferableError(Exception):
    """The output shapes of an op can't be told from what is known of its inputs."""


def constant(array: Any) -> Value:
    """Return the value of known numbers."""
    array = np.asarray(array)
    return Value(array.shape, None, array if array.size <= MAX_KNOWN_ELEMENTS else None)


def from_tensor(tensor: Any) -> Value:
    """Return the value of a ``TensorProto``; its payload is read only when it is small and there."""
    shape = tuple(tensor.dims)
    elements = prod(shape)
    array = None
    if 0 <= elements <= MAX_KNOWN_ELEMENTS and tensor.data_type in _TYPES and not tensor.external_data:
        dtype, field = _TYPES[tensor.data_type]
        if tensor.raw_data:
            if len(tensor.raw_data) == elements * np.dtype(dtype).itemsize:
                array = np.frombuffer(tensor.raw_data, dtype).reshape(shape)
        elif field and len(getattr(tensor, field)) == elements:
            array = np.array(getattr(tensor, field), dtype).reshape(shape)
    return Value(shape, None, array)


def as_ints(values: Sequence[Any] | Array) -> tuple[int, ...]:
    """Return a sequence of numbers as a tuple of Python ints."""
    return tuple([int(value) for value in np.asarray(values).reshape(-1).tolist()])
