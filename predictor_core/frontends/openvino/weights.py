"""The few small constants of a ``.bin`` file that tell axes and targets; the file need not be there."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS, Array
from predictor_core.ir.graph import Shape

#: Floats matter only as scalars and short lists: scales of a resize, constants of an activation.
_MAX_FLOATS = 16

_DTYPES = {
    "boolean": np.dtype("?"),
    **{
        f"{kind}{bits}": np.dtype(f"<{kind}{bits // 8}")
        for kind, sizes in (("f", (16, 32, 64)), ("i", (8, 16, 32, 64)), ("u", (8, 16, 32, 64)))
        for bits in sizes
    },
}
#: As the ports of a layer name them.
_PORTS = {"FP16": "f16", "FP32": "f32", "FP64": "f64", "BOOL": "boolean"}


def dtype_of(name: str) -> np.dtype[np.generic] | None:
    """Return the type that an element type or the precision of a port names; None where numpy has none."""
    return _DTYPES.get(_PORTS.get(name, name.lower()))


@lru_cache(maxsize=64)
def most_read(element_type: str) -> int:
    """Return how many numbers of a type a constant has at most whose numbers are read."""
    dtype = dtype_of(element_type)
    if dtype is None:
        return 0
    return _MAX_FLOATS if dtype.kind == "f" else MAX_KNOWN_ELEMENTS


class Weights:
    """Reads constants of the ``.bin`` file beside a model."""

    def __init__(self, model: Path) -> None:
        self._path = model.with_suffix(".bin")
        self._file: BinaryIO | None = None
        self._absent = False

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, offset: int, size: int, shape: Shape, element_type: str) -> Array | None:
        """Return a small constant; None where it is large or not to be had."""
        dtype, count = dtype_of(element_type), prod(shape)
        if dtype is None or not 0 <= count <= most_read(element_type):
            return None
        if count == 0:
            return np.zeros(shape, dtype)
        if size != count * dtype.itemsize or offset < 0 or not self._open():
            return None
        assert self._file is not None
        try:
            self._file.seek(offset)
            data = self._file.read(size)
        except OSError:
            return None
        return np.frombuffer(data, dtype).reshape(shape) if len(data) == size else None

    def _open(self) -> bool:
        if self._file is None and not self._absent:
            try:
                if self._path.is_file():
                    self._file = open(self._path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
            except OSError:
                pass
            self._absent = self._file is None
        return not self._absent
