"""The bytes of a ``.tflite`` file without its weights.

A mapped file that another process cuts short kills its reader, so nothing is mapped: what stands between the
weights is copied into a sparse block of memory of the same size.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import BinaryIO, Union

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.file import check_regular
from predictor_core.frontends.tflite.flatbuffer import Data, Table

#: Files up to this size are read whole.
SMALL_BYTES = 2**20
#: Buffers above this size are weights: they are not read.
WEIGHTS_BYTES = 2**15
#: Offsets of a flatbuffer are 32 bits wide; what stands behind them is weights.
MAX_STRUCTURE = 2**31 - 1

_PAGE = 4096
_BUFFERS = 4
_IDENTIFIER = b"TFL3"

Memory = Union[bytes, mmap.mmap]


def read_structure(path: Path) -> Memory:
    """Return the content of a ``.tflite`` file, with zeros in place of large weights.

    Raises
    ------
    ModelFormatError
        When the file can't be read, or is no TensorFlow Lite model.
    """
    try:
        check_regular(path, "a TensorFlow Lite model")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(8)
            if head[4:] != _IDENTIFIER:
                raise ModelFormatError(
                    f"this is no TensorFlow Lite model: it has {head[4:]!r} where {_IDENTIFIER!r} is expected"
                )
            if size <= SMALL_BYTES:
                return head + file.read(SMALL_BYTES)
            return _Sparse(file, min(size, MAX_STRUCTURE)).without_weights()
    except OSError as error:
        raise ModelFormatError(f"it can't be read: {error.strerror or error}") from error


class _Sparse:
    """A copy of a file in memory whose untouched pages take no room."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._memory = mmap.mmap(-1, size)
        self._view = memoryview(self._memory)
        self._loaded = bytearray(-(-size // _PAGE))

    def without_weights(self) -> mmap.mmap:
        """Load everything but the contents of large buffers."""
        position = 0
        for start, stop in sorted(self._weights()):
            if start > position:
                self._load(position, start)
            position = max(position, stop)
        self._load(position, self._size)
        self._view.release()
        return self._memory

    def _weights(self) -> list[tuple[int, int]]:
        """Return where the contents of large buffers stand."""
        data = Data(self._memory)
        self._load(0, 8)
        try:
            model = self._table(data, data.root())
            found = []
            for position in self._positions(model):
                content = self._table(data, position).position(0)
                if content is None:
                    continue
                self._load(content, content + 4)
                (length,) = struct.unpack_from("<I", self._memory, content)
                if length > WEIGHTS_BYTES:
                    found.append((content + 4, content + 4 + length))
            return found
        except struct.error as error:
            raise ModelFormatError(f"the file is truncated or damaged: {error}") from error

    def _positions(self, model: Table) -> list[int]:
        start = model.position(_BUFFERS)
        if start is None:
            return []
        self._load(start, start + 4)
        self._load(start, start + 4 + 4 * min(model.vector(_BUFFERS)[1], self._size // 4))
        return model.positions(_BUFFERS)

    def _table(self, data: Data, position: int) -> Table:
        """Return a table with the pages that it stands on loaded."""
        self._load(position, position + 4)
        vtable = data.vtable(position)
        self._load(vtable, vtable + 4)
        (size,) = struct.unpack_from("<H", self._memory, vtable)
        self._load(vtable, vtable + size)
        table = data.table(position)
        for slot in (0, _BUFFERS):
            table.load(slot, self._load)
        return table

    def _load(self, start: int, stop: int) -> None:
        """Read the pages of a range that are not there yet."""
        first, last = max(start, 0) // _PAGE, -(-min(stop, self._size) // _PAGE)
        if 0 not in self._loaded[first:last]:
            return
        begin, end = first * _PAGE, min(last * _PAGE, self._size)
        self._file.seek(begin)
        if self._file.readinto(self._view[begin:end]) != end - begin:  # type: ignore[attr-defined]
            raise ModelFormatError("the file changed while it was read")
        self._loaded[first:last] = b"\1" * (last - first)
