"""Shapes of a model's inputs: what the caller gives, and what a model leaves open for it to fill in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from numbers import Integral
from typing import Any, Union

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.ir.graph import MAX_DIM, MAX_ELEMENTS, MAX_RANK, Shape

#: What a caller may give as ``input_shape``: one shape, several in order, shapes by name, or none.
GivenShapes = Union[Sequence[int], Sequence[Sequence[int]], Mapping[str, Sequence[int]], None]

#: A dimension as a model states it: a size, the name of a symbol, or None or -1 where it is open.
Dim = Union[int, str, None]


class InputShapes:
    """The ``input_shape`` of a call, read once for all front ends.

    Parameters
    ----------
    input_shape : sequence of int, sequence of those, mapping from input names to those, or None
        The shape of the one input, of the inputs in order, or by name.
    names : sequence of str
        Inputs in order, where they are known beforehand; otherwise the order in which they are met.
    channels_last : bool
        Whether images are (N, H, W, C) in the model; the other order is taken where only that fits.

    Attributes
    ----------
    ordered : list of tuple of int
        Shapes that were given in order and are not taken yet.
    named : dict
        Shapes by input name.
    warnings : list of str
        What had to be assumed.

    Raises
    ------
    ModelFormatError
        When `input_shape` is none of those, or larger than a tensor may be.
    """

    def __init__(
        self, input_shape: GivenShapes, names: Sequence[str] = (), *, channels_last: bool = True
    ) -> None:
        self.ordered: list[Shape] = []
        self.named: dict[str, Shape] = {}
        self.warnings: list[str] = []
        self._met: list[str] = []
        self._symbols: dict[str, int] = {}
        self._channels_last = channels_last
        if input_shape is None:
            return
        if isinstance(input_shape, Mapping):
            self.named = {name: _checked(shape, input_shape) for name, shape in input_shape.items()}
        elif _is_shape(input_shape):
            self.ordered = [_checked(input_shape, input_shape)]
        else:
            several = list(input_shape) if is_iterable(input_shape) else []
            if not several:
                raise _no_shape(input_shape)
            self.ordered = [_checked(shape, input_shape) for shape in several]
        if names and len(self.ordered) <= len(names):
            self.named.update(zip(names, self.ordered))
            self.ordered = []

    def bind(self, name: str, stated: Sequence[Dim] | None) -> None:
        """Set the symbols of an input from the shape that is given for it, ahead of `resolve`.

        Raises
        ------
        ModelFormatError
            When the shapes contradict the model, or give a symbol two values.
        """
        given = self.named.get(name)
        if given is None or stated is None:
            return
        filled = self._filled(name, given, _possible(name, stated))
        for dim, size in zip(stated, filled):
            if isinstance(dim, str) and self._symbols.setdefault(dim, size) != size:
                raise ModelFormatError(
                    f"input_shape gives the dimension {dim} two values, {self._symbols[dim]} and {size}"
                )

    def resolve(self, name: str, stated: Sequence[Dim] | None) -> Shape:
        """Return the shape of the next input.

        Parameters
        ----------
        name : str
            Name of the input.
        stated : sequence of int, str or None
            What the model states. An open batch that nobody gives is 1.

        Raises
        ------
        ModelFormatError
            When a dimension stays open, or a given shape contradicts the model.
        GraphError
            When the model states an impossible dimension.
        """
        self._met.append(name)
        given = self.named.get(name)
        if given is None and self.ordered:
            given = self.ordered.pop(0)
        if stated is None:
            if given is None:
                raise ModelFormatError(f"input {name!r} states no shape; give input_shape")
            return given
        if len(stated) > MAX_RANK:
            raise GraphError(f"input {name!r} has {len(stated)} dimensions; a tensor has at most {MAX_RANK}")
        dims = _possible(name, [self.value(dim) for dim in stated])
        if given is not None:
            return self._filled(name, given, dims)
        if dims and not isinstance(dims[0], int) and all(isinstance(dim, int) for dim in dims[1:]):
            if isinstance(dims[0], str):
                self._symbols[dims[0]] = 1
            self.warnings.append(
                f"input {name!r} leaves the batch open; 1 is taken (input_shape sets another)"
            )
            dims[0] = 1
        known = tuple([dim for dim in dims if isinstance(dim, int)])
        if len(known) < len(dims):
            symbols = [dim for dim in dims if isinstance(dim, str)]
            named = f" with symbolic dimensions {', '.join(symbols)}" if symbols else ""
            raise ModelFormatError(
                f"input {name!r} has the open shape {_shown(stated)}{named}; give input_shape"
            )
        return known

    def value(self, dim: Dim) -> Dim:
        """Return the size of a dimension where its symbol has one, else the dimension."""
        return self._symbols.get(dim, dim) if isinstance(dim, str) else dim

    def check_all_used(self) -> None:
        """Refuse shapes that no input took; call it when all inputs are met.

        Raises
        ------
        ModelFormatError
            When a shape is left over.
        """
        inputs = ", ".join(self._met) or "none"
        for name in self.named:
            if name not in self._met:
                raise ModelFormatError(f"input_shape names {name!r}; the inputs of the model are: {inputs}")
        if self.ordered:
            raise ModelFormatError(
                f"input_shape has {len(self.ordered)} more shapes than the model has inputs; "
                f"those are: {inputs}"
            )

    def _filled(self, name: str, given: Shape, dims: Sequence[Dim]) -> Shape:
        """Return the given shape as the model has it: with the batch, and its channels where they belong."""
        whole = given
        if len(given) == len(dims) - 1:
            whole = (dims[0] if isinstance(dims[0], int) else 1, *given)
        candidates = [whole]
        if len(whole) == 4:
            n, a, b, c = whole
            candidates.append((n, b, c, a) if self._channels_last else (n, c, a, b))
        for candidate in candidates:
            if len(candidate) == len(dims) and all(
                not isinstance(dim, int) or dim == size for dim, size in zip(dims, candidate)
            ):
                return candidate
        raise ModelFormatError(
            f"input {name!r} has the shape {_shown(dims)}, which input_shape {list(given)} does not fit"
        )


def is_iterable(value: Any) -> bool:
    """Whether a value holds others in order: no text, mapping or single number."""
    if isinstance(value, (str, bytes, Mapping)):
        return False
    try:
        iter(value)
    except TypeError:  # an array of no dimensions has a method for it, too
        return False
    return True


def _is_shape(value: Any) -> bool:
    if not is_iterable(value):
        return False
    dims = list(value)
    return bool(dims) and all(isinstance(dim, Integral) and not isinstance(dim, bool) for dim in dims)


def _checked(shape: Any, input_shape: Any) -> Shape:
    if not _is_shape(shape) or min(shape) < 1:
        raise _no_shape(input_shape)
    dims = tuple([int(dim) for dim in shape])
    if max(dims) > MAX_DIM or prod(dims) > MAX_ELEMENTS:
        raise ModelFormatError(
            f"input_shape has {_shown(dims)}; a dimension is at most {MAX_DIM}, and a tensor has at most "
            f"{MAX_ELEMENTS} elements"
        )
    return dims


def _no_shape(input_shape: Any) -> ModelFormatError:
    return ModelFormatError(
        f"input_shape={input_shape!r}; expected positive integers such as (1, 3, 224, 224), a list of such "
        "shapes for several inputs, or a mapping from input names to shapes"
    )


def _possible(name: str, stated: Sequence[Any]) -> list[Dim]:
    """Return the dimensions that a model states with Python's integers, or refuse impossible ones."""
    dims: list[Dim] = []
    for dim in stated:
        if dim is None or (isinstance(dim, str) and not dim.isdigit()):
            dims.append(dim)
        elif isinstance(dim, Integral) and int(dim) == -1:
            dims.append(None)
        elif isinstance(dim, Integral) and 0 < int(dim) <= MAX_DIM:
            dims.append(int(dim))
        else:
            raise GraphError(
                f"input {name!r} has the shape {list(stated)}; "
                f"every dimension must be a positive integer up to {MAX_DIM}"
            )
    return dims


def _shown(shape: Sequence[Dim]) -> str:
    return f"[{', '.join('?' if dim in (None, -1) else str(dim) for dim in shape)}]"
