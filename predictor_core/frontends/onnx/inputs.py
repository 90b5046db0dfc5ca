"""Shapes of the inputs of an ONNX model, with symbolic dimensions filled in from what the caller gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.ir.graph import Shape

#: A number, or the name of a symbolic dimension.
_Dim = Any


class Symbols:
    """Values of the symbolic dimensions, bound by the inputs that the caller gives."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}

    def bind(self, name: str, value: int) -> None:
        """Set a symbol, or refuse a second value for it."""
        if self._values.setdefault(name, value) != value:
            raise ModelFormatError(
                f"input_shape gives the dimension {name} two values, {self._values[name]} and {value}"
            )

    def value(self, dim: _Dim) -> _Dim:
        """Return the value of a dimension, or its name where that is not bound."""
        return self._values.get(dim, dim) if isinstance(dim, str) else dim

    def shape(self, value_info: Any) -> Shape | None:
        """Return the shape that a ``ValueInfoProto`` states, or None where it leaves something open."""
        dims = _dims(value_info)
        if dims is None:
            return None
        known = [self.value(dim) for dim in dims]
        return tuple(known) if all(isinstance(dim, int) and dim > 0 for dim in known) else None


def resolve(inputs: Sequence[Any], input_shape: Any, symbols: Symbols) -> dict[str, Shape]:
    """Return the shape of each input.

    Parameters
    ----------
    inputs : sequence of ValueInfoProto
        Inputs that are no initializers.
    input_shape : sequence of int, sequence of those, mapping or None
        The shape of the one input, those of all inputs in order, or of some by name. Needed for what the file
        leaves open; where the file states a dimension, both must agree.
    symbols : Symbols
        Is given the values of symbolic dimensions.

    Raises
    ------
    ModelFormatError
        When a dimension stays open (the message names it), or a given shape contradicts the file.
    GraphError
        When the file states an impossible dimension.
    """
    given = _by_name(inputs, input_shape)
    shapes: dict[str, Any] = {}
    for info in inputs:
        dims = _dims(info)
        wanted = given.get(info.name)
        if wanted is not None:
            dims = _merged(info.name, dims, wanted, symbols)
        shapes[info.name] = dims
    resolved = {}
    for info in inputs:
        dims = shapes[info.name]
        if dims is None:
            raise ModelFormatError(f"input {info.name!r} has no shape in the file; give input_shape")
        shape: list[_Dim] = [symbols.value(dim) for dim in dims]
        names = [dim for dim in shape if isinstance(dim, str)]
        if names:
            raise ModelFormatError(
                f"input {info.name!r} has the shape {_shown(shape)} with symbolic dimensions "
                f"{', '.join(names)}; give input_shape"
            )
        for dim in shape:
            if dim <= 0:
                raise GraphError(
                    f"input {info.name!r} has the shape {_shown(shape)}; dimensions must be positive"
                )
        resolved[info.name] = tuple(shape)
    return resolved


def _by_name(inputs: Sequence[Any], input_shape: Any) -> Mapping[str, Shape]:
    if input_shape is None:
        return {}
    if isinstance(input_shape, Mapping):
        names = [info.name for info in inputs]
        for name in input_shape:
            if name not in names:
                raise ModelFormatError(f"input_shape names {name!r}; the inputs of the model are {names}")
        return {name: _as_shape(shape) for name, shape in input_shape.items()}
    if not isinstance(input_shape, Iterable) or isinstance(input_shape, (str, bytes)):
        raise ModelFormatError(
            f"input_shape must be a sequence of integers or of shapes, got {input_shape!r}"
        )
    items = list(input_shape)
    several = items if items and not isinstance(items[0], Integral) else [items]
    if len(several) > len(inputs):
        raise ModelFormatError(f"input_shape has {len(several)} shapes, the model {len(inputs)} inputs")
    return {info.name: _as_shape(shape) for info, shape in zip(inputs, several)}


def _as_shape(shape: Any) -> Shape:
    try:
        dims = tuple([int(dim) for dim in shape if isinstance(dim, Integral)])
        if len(dims) == len(shape) and all(dim > 0 for dim in dims):
            return dims
    except TypeError:
        pass
    raise ModelFormatError(f"input_shape must have positive integers, got {shape!r}")


def _dims(info: Any) -> list[_Dim] | None:
    """Return the dimensions as ints and symbol names; None when the file says nothing."""
    if not info.type.HasField("tensor_type"):
        kind = info.type.WhichOneof("value")
        if kind is None:
            return None
        raise ModelFormatError(f"{info.name!r} is of type {kind}; only tensors are supported")
    if not info.type.tensor_type.HasField("shape"):
        return None
    dims: list[_Dim] = []
    for index, dim in enumerate(info.type.tensor_type.shape.dim):
        if dim.HasField("dim_value"):
            dims.append(dim.dim_value)
        else:
            dims.append(str(dim.dim_param or f"{info.name}_dim_{index}"))
    return dims


def _merged(name: str, dims: list[_Dim] | None, wanted: Shape, symbols: Symbols) -> list[_Dim]:
    if dims is None:
        return list(wanted)
    if len(wanted) == len(dims) - 1:
        # Given without the batch.
        wanted = (dims[0] if isinstance(dims[0], int) else 1, *wanted)
    if len(wanted) != len(dims):
        raise ModelFormatError(
            f"input_shape {list(wanted)} does not fit input {name!r} of shape {_shown(dims)}"
        )
    for dim, value in zip(dims, wanted):
        if isinstance(dim, str):
            symbols.bind(dim, value)
        elif dim > 0 and dim != value:
            raise ModelFormatError(
                f"input_shape {list(wanted)} contradicts input {name!r}, which is {_shown(dims)} in the file"
            )
    return list(wanted)


def _shown(dims: Sequence[_Dim]) -> str:
    return f"[{', '.join(map(str, dims))}]"
