"""What an ONNX model states of the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from predictor_core.errors import ModelFormatError
from predictor_core.ir.graph import Shape
from predictor_core.ir.inputs import Dim, InputShapes

#: What exporters write for a dimension that has no name.
_NAMELESS = frozenset({"", "?", "None", "none", "-1", "unk", "unknown"})


def resolve(inputs: Sequence[Any], given: InputShapes) -> dict[str, Shape]:
    """Return the shape of each input.

    Parameters
    ----------
    inputs : sequence of ValueInfoProto
        Inputs that are no initializers.
    given : InputShapes
        What the caller gives; it learns the sizes of symbolic dimensions.

    Raises
    ------
    ModelFormatError
        When a dimension stays open (the message names it), or a given shape contradicts the file.
    GraphError
        When the file states an impossible dimension.
    """
    stated = {str(info.name): dims(info) for info in inputs}
    for name, shape in stated.items():
        given.bind(name, shape)
    shapes = {name: given.resolve(name, shape) for name, shape in stated.items()}
    given.check_all_used()
    return shapes


def dims(info: Any) -> list[Dim] | None:
    """Return the dimensions of a ``ValueInfoProto``: sizes, names of symbols, None; None for no shape."""
    if not info.type.HasField("tensor_type"):
        kind = info.type.WhichOneof("value")
        if kind is None:
            return None
        raise ModelFormatError(f"{info.name!r} is of type {kind}; only tensors are supported")
    if not info.type.tensor_type.HasField("shape"):
        return None
    found: list[Dim] = []
    for dim in info.type.tensor_type.shape.dim:
        if dim.HasField("dim_value"):
            found.append(int(dim.dim_value))
        else:
            name = str(dim.dim_param)
            found.append(None if name in _NAMELESS else name)
    return found
