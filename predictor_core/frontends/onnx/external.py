"""Small integer constants of an ONNX model that lie in the file of its weights."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS

#: ``TensorProto.DataType`` of the integers that shapes and indices are made of, with their size in bytes.
_INTEGERS = {6: 4, 7: 8, 9: 1}


def fill_small_constants(model: Any, folder: Path) -> None:
    """Read the shapes and indices among the external tensors of `model`, where their file is there.

    Parameters
    ----------
    model : ModelProto
        Is changed.
    folder : Path
        Where the model lies. Files outside of it are not opened.
    """
    for tensor in model.graph.initializer:
        if tensor.data_location != 1 or tensor.data_type not in _INTEGERS:
            continue
        elements = prod(tensor.dims)
        if not 0 < elements <= MAX_KNOWN_ELEMENTS:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        payload = _read(folder, entries, elements * _INTEGERS[tensor.data_type])
        if payload is not None:
            tensor.raw_data = payload
            tensor.data_location = 0
            del tensor.external_data[:]


def _read(folder: Path, entries: dict[str, str], size: int) -> bytes | None:
    """Return `size` bytes, or None where they can't be had; shapes may well be known without them."""
    try:
        path = (folder / entries["location"]).resolve()
        path.relative_to(folder.resolve())
        if not path.is_file():  # Opening a pipe waits for who writes it.
            return None
        with path.open("rb") as file:
            file.seek(int(entries.get("offset", "0")))
            payload = file.read(size)
    except (KeyError, OSError, RuntimeError, ValueError):  # RuntimeError: a circle of links
        return None
    return payload if len(payload) == size else None
