"""Which tensors of a trace are views of others: what is written to a view is found in its base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from predictor_core.frontends.torch.tensors import tensors_of

_VIEWS = frozenset(
    {
        *("alias", "as_strided", "chunk", "detach", "diagonal", "flatten", "getitem", "hsplit", "moveaxis"),
        *("movedim", "mT", "narrow", "numpy_T", "permute", "ravel", "reshape", "reshape_as", "select"),
        *("slice", "split", "split_with_sizes", "squeeze", "swapaxes", "swapdims", "t", "tensor_split"),
        *("transpose", "unbind", "unflatten", "unsqueeze", "view", "view_as", "vsplit"),
    }
)
#: Functions that copy a view whose elements are not in order.
_MAY_COPY = frozenset({"flatten", "ravel", "reshape", "reshape_as"})


class Aliases:
    """The views that functions have made.

    Parameters
    ----------
    names : dict of int to str
        Names of what tensors hold, by id; shared with the owner.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._bases: dict[int, torch.Tensor] = {}
        #: Name of what the base of a view holds since the view was written to, by the id of the view.
        self._stored: dict[int, str] = {}

    def note(self, name: str, args: Any, result: Any) -> None:
        """Note the results of a function that are views of its first argument."""
        if name not in _VIEWS or not args:
            return
        base = args[0]
        if not isinstance(base, torch.Tensor) or (name in _MAY_COPY and self.base(base) is not base):
            return
        if name == "getitem" and not _is_basic(args[1]):
            return
        for view in tensors_of(result):
            if view is not base:
                self._bases[id(view)] = base

    def base(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor that a tensor is a view of, in the end: itself where it is none."""
        while True:
            base = self._bases.get(id(tensor), tensor._base)
            if base is None:
                return tensor
            tensor = base

    def note_stored(self, view: torch.Tensor) -> None:
        """Note that the base of a view holds what was written to the view."""
        self._stored[id(view)] = self._names[id(self.base(view))]

    def is_stored(self, target: torch.Tensor, value: Any) -> bool:
        """Whether `value` is a view of `target` that was written to, as ``target[index] += one`` makes it."""
        stored = self._stored.get(id(value))
        return stored is not None and stored == self._names.get(id(self.base(target)))


def _is_basic(index: Any) -> bool:
    """Whether an index takes a view: other indices take copies."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or (isinstance(part, (int, slice)) and not isinstance(part, bool))
        for part in parts
    )
