"""The bytes of a model file, read so that a writer of the same file can't end the process.

A mapped file that is cut short kills its reader with a signal. Nothing is mapped here: a file of usual size
is read whole, of a larger one the blocks that are asked for, and a change on the way is an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Union, overload

from predictor_core.errors import ModelFormatError

#: Files up to this size are read whole.
WHOLE_BYTES = 32 * 2**20

#: Small, for what lies between the payloads that are skipped is small.
_BLOCK_BYTES = 2**14


class FileBytes:
    """Bytes of an open file by position or slice; one block of it is in memory.

    Parameters
    ----------
    file : binary file
        It stays open meanwhile.
    size : int
        Its size in bytes.
    """

    __slots__ = ("_block", "_file", "_size", "_start")

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._start = 0
        self._block = b""

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> bytes: ...
    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            start, stop, _ = place.indices(self._size)
            first = start - self._start
            if first >= 0 and stop - self._start <= len(self._block):
                return self._block[first : stop - self._start]
            if stop - start > _BLOCK_BYTES:
                return self._read(start, stop - start)
            self._load(start)
            return self._block[: max(stop - start, 0)]
        at = place - self._start
        if not 0 <= at < len(self._block):
            self._load(place)
            at = 0
        return self._block[at]

    def _load(self, start: int) -> None:
        self._block = self._read(start, min(_BLOCK_BYTES, self._size - start))
        self._start = start

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        found = self._file.read(count)
        if len(found) != count:
            raise ModelFormatError("the file became shorter while it was read")
        return found


#: What messages are read from.
Buffer = Union[bytes, FileBytes]


@contextmanager
def opened(path: Path, kind: str) -> Iterator[Buffer]:
    """Open a model file.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What is expected, for messages: ``"an ONNX model"``.

    Yields
    ------
    bytes or FileBytes
        Its content.

    Raises
    ------
    ModelFormatError
        It is absent, empty, no regular file, or changes in the block.
    """
    try:
        check_regular(path, kind)
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            if not before.st_size:
                raise ModelFormatError(f"{path} is empty; expected {kind}")
            if before.st_size <= WHOLE_BYTES:
                content: Buffer = file.read(before.st_size)
                _check_unchanged(before, os.fstat(file.fileno()), path)
                yield content
                return
            try:
                yield FileBytes(file, before.st_size)
            finally:
                _check_unchanged(before, os.fstat(file.fileno()), path)
    except FileNotFoundError:
        raise ModelFormatError(f"{path} does not exist") from None
    except OSError as error:
        raise ModelFormatError(f"{path} can't be read: {error.strerror or error}") from error
    except ValueError as error:
        if isinstance(error, UnicodeError) or "null" not in str(error):
            raise
        raise ModelFormatError(f"{path!r} is no path: {error}") from error


def check_regular(path: Path, kind: str) -> None:
    """Refuse a folder, and a pipe, which would wait for its writer; parameters as for `opened`."""
    if not stat.S_ISREG(path.stat().st_mode):
        what = "a folder" if path.is_dir() else "a pipe, socket or device"
        raise ModelFormatError(f"{path} is {what}; expected {kind}")


def _check_unchanged(before: os.stat_result, after: os.stat_result, path: Path) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ModelFormatError(
            f"{path} changed while it was read; write models under another name and rename them when whole"
        )
