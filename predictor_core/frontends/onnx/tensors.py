"""Constants of ONNX models as values."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS, Value

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

#: Most dimensions of an array in every numpy.
_MAX_RANK = 32


def from_tensor(tensor: Any) -> Value:
    """Return the value of a ``TensorProto``; its payload is read only when it is small and there."""
    shape = tuple(tensor.dims[:])
    elements = prod(shape)
    array = None
    if (
        0 <= elements <= MAX_KNOWN_ELEMENTS
        and len(shape) <= _MAX_RANK
        and min(shape, default=1) >= 0
        and tensor.data_type in _TYPES
        and not tensor.external_data
    ):
        dtype, field = _TYPES[tensor.data_type]
        raw = tensor.raw_data
        if raw:
            if len(raw) == elements * np.dtype(dtype).itemsize:
                array = np.frombuffer(raw, dtype).reshape(shape)
        elif field and len(getattr(tensor, field)) == elements:
            array = np.array(getattr(tensor, field), dtype).reshape(shape)
    return Value(shape, None, array)
