"""Read an ONNX file without its weights.

A model file is protobuf: nested fields of a tag, a length and a payload. This module walks the fields over a
memory map and leaves out the payloads of large tensors, whose dimensions stand in other fields. What remains
is parsed as usual, so that the cost follows the number of nodes and not the number of weights.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

from predictor_core.errors import ModelFormatError, missing_dependency
from predictor_core.frontends.common.protobuf import (
    FIXED32,
    FIXED64,
    SPAN,
    VARINT,
    BrokenWireError,
    Buffer,
    varint,
)
from predictor_core.frontends.onnx.external import fill_small_constants

#: Payloads up to this many bytes stay: shapes, axes and scalars are smaller, weights are larger.
KEPT_BYTES = 16384

#: Field number -> the fields of the message that it holds, or None for a payload to leave out.
_Fields = dict[int, Any]

_TENSOR: _Fields = dict.fromkeys((4, 5, 6, 7, 9, 10, 11))
_SPARSE_TENSOR: _Fields = {1: _TENSOR, 2: _TENSOR}
_ATTRIBUTE: _Fields = {5: _TENSOR, 10: _TENSOR, 22: _SPARSE_TENSOR, 23: _SPARSE_TENSOR}
_NODE: _Fields = {5: _ATTRIBUTE}
_GRAPH: _Fields = {1: _NODE, 5: _TENSOR, 15: _SPARSE_TENSOR}
_ATTRIBUTE.update({6: _GRAPH, 11: _GRAPH})
_FUNCTION: _Fields = {7: _NODE, 11: _ATTRIBUTE}
_MODEL: _Fields = {7: _GRAPH, 25: _FUNCTION}


def read_model(path: str | os.PathLike[str]) -> Any:
    """Return the ``onnx.ModelProto`` of a file, without the payloads of large tensors.

    Parameters
    ----------
    path : path
        An ONNX file. Of the tensors that it keeps in another file only shapes and indices are read.

    Raises
    ------
    ModelFormatError
        When there is no such file, or it is empty, cut short or not ONNX.
    """
    onnx = import_onnx()
    path = Path(path)
    if path.is_dir():
        raise ModelFormatError(f"{path} is a folder, not an ONNX file")
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ModelFormatError(f"{path} is empty; expected an ONNX model")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                content = without_payloads(data)
        model = onnx.ModelProto.FromString(content)
    except FileNotFoundError:
        raise ModelFormatError(f"{path} does not exist") from None
    except OSError as error:
        raise ModelFormatError(f"{path} can't be read: {error.strerror or error}") from error
    except BrokenWireError as error:
        raise ModelFormatError(
            f"{path} is no ONNX model: {error}; is it cut short or another format?"
        ) from None
    except _decode_error() as error:
        raise ModelFormatError(f"{path} is no ONNX model: it can't be parsed as protobuf ({error})") from None
    if not model.HasField("graph"):
        raise ModelFormatError(f"{path} is no ONNX model: it has no graph")
    fill_small_constants(model, path.parent)
    return model


def import_onnx() -> Any:
    """Return the package onnx, or raise the error that names the extra to install."""
    try:
        import onnx
    except ImportError:
        raise missing_dependency("onnx", "onnx", "reading ONNX models") from None
    return onnx


def _decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    error: type[Exception] = DecodeError
    return error


def without_payloads(data: Buffer) -> bytes:
    """Return a serialised ``ModelProto`` without the payloads of large tensors."""
    return b"".join(_kept(data, 0, len(data), _MODEL))


def _kept(data: Buffer, start: int, end: int, fields: _Fields) -> list[bytes]:
    """Return the parts of the message in ``data[start:end]`` that stay."""
    parts: list[bytes] = []
    copied = position = start
    while position < end:
        field = position
        tag, position = varint(data, position, end)
        wire = tag & 7
        if wire == SPAN:
            length, position = varint(data, position, end)
            body, position = position, position + length
            if position > end:
                raise BrokenWireError(f"a field of {length} bytes at byte {field} runs over the end")
            if length > KEPT_BYTES and tag >> 3 in fields:
                parts.append(data[copied:field])
                copied = position
                inner = fields[tag >> 3]
                if inner is not None:
                    kept = _kept(data, body, position, inner)
                    parts.append(_as_varint(tag) + _as_varint(sum(map(len, kept))))
                    parts.extend(kept)
        elif wire == VARINT:
            _, position = varint(data, position, end)
        elif wire in (FIXED32, FIXED64):
            position += 8 if wire == FIXED64 else 4
            if position > end:
                raise BrokenWireError(f"a number at byte {field} runs over the end")
        else:
            raise BrokenWireError(f"byte {field} starts no protobuf field")
    parts.append(data[copied:end])
    return parts


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
