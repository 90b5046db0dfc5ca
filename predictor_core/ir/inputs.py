"""Shapes of a model's inputs, where the model leaves something open and the caller fills it in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.ir.graph import MAX_DIM, Shape
from predictor_core.ir.shapes import fill


class InputShapes:
    """Shapes of the inputs of one channels-last model, met one by one.

    Parameters
    ----------
    input_shape : sequence of int, sequence of those, mapping from input names to those, or None
        The shape of the one input, of the inputs in order, or by name; channels last, or channels
        first where only that fits.

    Raises
    ------
    ModelFormatError
        When it is none of those.
    """

    def __init__(self, input_shape: Any) -> None:
        self._met: list[str] = []
        self._named: dict[str, Shape] = {}
        self._ordered: list[Shape] = []
        if input_shape is None:
            return
        if isinstance(input_shape, Mapping):
            self._named = {name: _checked(shape) for name, shape in input_shape.items()}
        elif _is_shape(input_shape):
            self._ordered = [_checked(input_shape)]
        elif isinstance(input_shape, Iterable) and not isinstance(input_shape, (str, bytes)):
            self._ordered = [_checked(shape) for shape in input_shape]
        else:
            raise ModelFormatError(f"input_shape must be a shape or several, got {input_shape!r}")

    def resolve(self, name: str, stated: Sequence[int | None] | None) -> Shape:
        """Return the shape of the next input.

        Parameters
        ----------
        name : str
            Name of the input.
        stated : sequence of int or None
            What the model states; None and -1 are open dimensions. An open batch that nobody gives is 1.

        Raises
        ------
        ModelFormatError
            When a dimension stays open, or a given shape contradicts the model.
        GraphError
            When the model states an impossible dimension.
        """
        self._met.append(name)
        given = self._named.get(name)
        if given is None and self._ordered:
            given = self._ordered.pop(0)
        dims = None if stated is None else _possible(name, stated)
        if given is not None:
            shape = given if dims is None else fill(dims, given)
            if shape is None:
                raise ModelFormatError(
                    f"input {name!r} has the shape {_shown(stated)}, "
                    f"which input_shape {list(given)} does not fit"
                )
            return shape
        if dims is None:
            raise ModelFormatError(f"input {name!r} states no shape; give input_shape")
        if dims and dims[0] is None:
            dims[0] = 1
        known = tuple([dim for dim in dims if dim is not None])
        if len(known) < len(dims):
            raise ModelFormatError(f"input {name!r} has the open shape {_shown(stated)}; give input_shape")
        return known

    def check_all_used(self) -> None:
        """Refuse shapes that no input took; call it when all inputs are met.

        Raises
        ------
        ModelFormatError
            When a shape is left over.
        """
        inputs = ", ".join(self._met) or "none"
        for name in self._named:
            if name not in self._met:
                raise ModelFormatError(f"input_shape names {name!r}; the inputs of the model are: {inputs}")
        if self._ordered:
            raise ModelFormatError(
                f"input_shape has {len(self._ordered)} more shapes than the model has inputs; "
                f"those are: {inputs}"
            )


def _is_shape(value: Any) -> bool:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping)):
        return False
    dims = list(value)
    return bool(dims) and all(isinstance(dim, Integral) for dim in dims)


def _checked(shape: Any) -> Shape:
    if not _is_shape(shape) or min(shape) < 1:
        raise ModelFormatError(f"input_shape must have positive integers, got {shape!r}")
    return tuple([int(dim) for dim in shape])


def _possible(name: str, stated: Sequence[Any]) -> list[int | None]:
    """Return the dimensions that a model states as Python's integers, or refuse impossible ones."""
    dims: list[int | None] = []
    for dim in stated:
        if dim is None or dim == -1:
            dims.append(None)
        elif isinstance(dim, Integral) and 0 < int(dim) <= MAX_DIM:
            dims.append(int(dim))
        else:
            raise GraphError(
                f"input {name!r} has the shape {list(stated)}; "
                f"every dimension must be a positive integer up to {MAX_DIM}"
            )
    return dims


def _shown(shape: Sequence[int | None] | None) -> str:
    return str([] if shape is None else ["?" if dim in (None, -1) else dim for dim in shape]).replace("'", "")
