"""Read an ONNX file without its weights.

A model file is protobuf: nested fields of a tag, a length and a payload. This module walks the fields
and leaves out the payloads of large tensors, whose dimensions stand in other fields. What remains
is parsed as usual, so that the cost follows the number of nodes and not the number of weights.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from predictor_core.budget import meter, metered
from predictor_core.errors import ModelFormatError, PredictorError, missing_dependency, own_errors
from predictor_core.frontends.common.file import Buffer, opened
from predictor_core.frontends.common.protobuf import (
    FIXED32,
    FIXED64,
    SPAN,
    VARINT,
    BrokenWireError,
    varint,
)
from predictor_core.frontends.onnx.external import fill_small_constants

#: Payloads up to this many bytes stay: shapes, axes and scalars are smaller, weights are larger.
KEPT_BYTES = 16384

#: Graphs inside of graphs: the branches of branches.
MAX_NESTED = 32

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
    path = Path(path)
    model = parse_model(path)
    fill_small_constants(model, path.parent)
    return model


def parse_model(path: Path) -> Any:
    """Return the ``onnx.ModelProto`` of a file alone; see `read_model`."""
    onnx = import_onnx()
    try:
        with opened(path, "an ONNX file") as data:
            content = without_payloads(data)
        spent = meter()
        spent.allow_for(len(content))
        # Messages take several times the room of their bytes.
        spent.spend(memory_bytes=4 * len(content))
        model = onnx.ModelProto.FromString(content)
    except BrokenWireError as error:
        raise ModelFormatError(
            f"{path} is no ONNX model: {error}; is it cut short or another format?"
        ) from None
    except _decode_error() as error:
        raise ModelFormatError(f"{path} is no ONNX model: it can't be parsed as protobuf ({error})") from None
    if not model.HasField("graph"):
        raise ModelFormatError(f"{path} is no ONNX model: it has no graph")
    return model


def external_files(path: Path) -> list[Path]:
    """Return the files that a model keeps tensors in; none where it can't be read."""
    try:
        with own_errors(path), metered():
            graph = parse_model(path).graph
    except PredictorError:
        return []
    names = {
        entry.value
        for tensor in graph.initializer
        for entry in tensor.external_data
        if entry.key == "location" and "\0" not in entry.value
    }
    return [path.parent / name for name in sorted(names)]


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
    return b"".join(_kept(data, 0, len(data), _MODEL, 0))


def _kept(data: Buffer, start: int, end: int, fields: _Fields, depth: int) -> list[bytes]:
    """Return the parts of the message in ``data[start:end]`` that stay."""
    if depth > 3 * MAX_NESTED:
        raise BrokenWireError(f"graphs are nested more than {MAX_NESTED} deep")
    parts: list[bytes] = []
    copied = position = start
    spent, count = meter(), 0
    while position < end:
        field = position
        count += 1
        if not count % 4096:
            spent.look()
        tag, position = varint(data, position, end)
        wire = tag & 7
        if not tag >> 3:
            raise BrokenWireError(f"byte {field} starts no protobuf field")
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
                    kept = _kept(data, body, position, inner, depth + 1)
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
