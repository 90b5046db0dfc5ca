"""Read an ONNX file without its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from predictor_core.budget import metered
from predictor_core.errors import ModelFormatError, PredictorError, own_errors, requires
from predictor_core.frontends.common import protobuf
from predictor_core.frontends.common.file import Buffer, opened
from predictor_core.frontends.onnx.external import fill_small_constants

#: Payloads up to this many bytes stay: shapes, axes and scalars are smaller, weights are larger.
KEPT_BYTES = 16384

#: Graphs inside of graphs: the branches of branches.
MAX_NESTED = 32

_TENSOR: protobuf.Fields = dict.fromkeys((4, 5, 6, 7, 9, 10, 11))
_SPARSE_TENSOR: protobuf.Fields = {1: _TENSOR, 2: _TENSOR}
_ATTRIBUTE: protobuf.Fields = {5: _TENSOR, 10: _TENSOR, 22: _SPARSE_TENSOR, 23: _SPARSE_TENSOR}
_NODE: protobuf.Fields = {5: _ATTRIBUTE}
_GRAPH: protobuf.Fields = {1: _NODE, 5: _TENSOR, 15: _SPARSE_TENSOR}
_ATTRIBUTE.update({6: _GRAPH, 11: _GRAPH})
_FUNCTION: protobuf.Fields = {7: _NODE, 11: _ATTRIBUTE}
_MODEL: protobuf.Fields = {7: _GRAPH, 25: _FUNCTION}


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
        model = protobuf.parse(onnx.ModelProto, content)
    except protobuf.BrokenWireError as error:
        raise ModelFormatError(
            f"{path} is no ONNX model: {error}; is it cut short or another format?"
        ) from None
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
    with requires("onnx", "onnx", "reading ONNX models"):
        import onnx
    return onnx


def without_payloads(data: Buffer) -> bytes:
    """Return a serialised ``ModelProto`` without the payloads of large tensors."""
    return protobuf.without_payloads(data, _MODEL, KEPT_BYTES)
