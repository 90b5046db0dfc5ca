"""Which tensors of a trace are views of others, and which of those no longer hold what they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Any, NamedTuple

import torch

from predictor_core.frontends.torch.tensors import tensors_of

#: Functions whose results may lie in their first argument: some copy it, by how its elements are ordered.
VIEWS = frozenset(
    {
        *("adjoint", "alias", "as_strided", "broadcast_to", "chunk", "contiguous", "detach", "diagonal"),
        *("dropout", "dsplit", "expand", "expand_as", "flatten", "getitem", "hsplit", "moveaxis", "movedim"),
        *("mT", "narrow", "numpy_T", "permute", "ravel", "reshape", "reshape_as", "select", "slice"),
        *("split", "split_with_sizes", "squeeze", "swapaxes", "swapdims", "t", "tensor_split", "transpose"),
        *("unbind", "unflatten", "unsqueeze", "view", "view_as", "vsplit"),
    }
)

#: First and last index along each dimension of a tensor.
_Box = list[tuple[int, int]]


class Making(NamedTuple):
    """How views were made: `function` of `args`, the first of which they lie in, at a time."""

    function: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    views: Sequence[torch.Tensor]
    time: int


class Aliases:
    """The views that functions have made, and what was written to what they lie in.

    Where a tensor lies is found when it is needed, by calling the same functions on tensors without data.
    """

    def __init__(self) -> None:
        self._makings: dict[int, Making] = {}
        #: Meta tensors that lie in one another as the tensors of these ids do.
        self._places: dict[int, torch.Tensor] = {}
        self._time = 0
        #: Ids of what has views.
        self._viewed: set[int] = set()
        #: Last time at which a view was made anew or written to, by its id.
        self._renewed: dict[int, int] = {}
        #: Times and places at which a tensor that is no view was written to, by its id.
        self.written: dict[int, list[tuple[int, _Box]]] = {}

    def note(self, function: Any, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Note the results of a function that are views of its first argument."""
        if name not in VIEWS or not args or not isinstance(args[0], torch.Tensor):
            return
        if name == "getitem" and not _is_basic(args[1]):
            return
        views = [one for one in tensors_of(result) if one is not args[0]]
        if views:
            making = Making(function, args, kwargs, views, self._time)
            self._makings.update((id(view), making) for view in views)
            self._viewed.add(id(args[0]))

    def is_view(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor may lie in another one."""
        return self._making(tensor) is not None

    def base(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor that a tensor is a view of, in the end: itself where it is none."""
        making = self._making(tensor)
        while making is not None and self._share(tensor, making.args[0]):
            tensor = making.args[0]
            making = self._making(tensor)
        return tensor

    def note_written(self, target: torch.Tensor, index: Any = None) -> None:
        """Note that a tensor, or what an index takes of it, was written to."""
        if id(target) not in self._viewed and self._making(target) is None:
            return
        base = self.base(target)
        self._time += 1
        self._renewed[id(target)] = self._time
        box = _box(self._indexed(target, index), self._place(base))
        self.written.setdefault(id(base), []).append((self._time, box))

    def stale(self, tensor: torch.Tensor) -> Sequence[Making]:
        """Return what has to be repeated, in order, so that a tensor holds what its base does now."""
        found: list[Making] = []
        while self._is_stale(tensor):
            found.append(self._makings[id(tensor)])
            tensor = found[-1].args[0]
        return found[::-1]

    def renew(self, view: torch.Tensor) -> bool:
        """Note that a view is made anew; return whether it has to be."""
        is_stale = self._is_stale(view)
        self._renewed[id(view)] = self._time
        return is_stale

    def are_one(self, value: torch.Tensor, target: torch.Tensor, index: Any = None) -> bool:
        """Whether `value` is `target`, or what an index takes of it, as ``target[index] += one`` makes it."""
        if not _is_basic(index) or self.base(value) is not self.base(target):
            return False
        one, other = self._place(value), self._indexed(target, index)
        return one.storage_offset() == other.storage_offset() and (
            (one.shape, one.stride()) == (other.shape, other.stride())
        )

    def _making(self, tensor: torch.Tensor) -> Making | None:
        making = self._makings.get(id(tensor))
        if making is None and tensor._base is not None:
            # A view of a constant that no function mode was asked for.
            args = (tensor._base, tensor.size(), tensor.stride(), tensor.storage_offset())
            making = self._makings[id(tensor)] = Making(torch.as_strided, args, {}, [tensor], 0)
        return making

    def _share(self, tensor: torch.Tensor, base: torch.Tensor) -> bool:
        one, other = (self._place(value).untyped_storage() for value in (tensor, base))
        return bool(one._cdata == other._cdata)

    def _place(self, tensor: torch.Tensor) -> torch.Tensor:
        pending = [tensor]
        while pending:
            making = self._making(pending[-1])
            if id(pending[-1]) in self._places:
                pending.pop()
            elif making is None:
                self._places[id(pending[-1])] = torch.empty(pending[-1].shape, device="meta")
            elif id(making.args[0]) not in self._places:
                pending.append(making.args[0])
            else:
                base = self._places[id(making.args[0])]
                made: Any = ()
                # What can't be repeated may lie anywhere in its base.
                with suppress(Exception):
                    made = tensors_of(making.function(base, *making.args[1:], **making.kwargs))
                self._places.update(zip(map(id, making.views), chain(made, repeat(base))))
        return self._places[id(tensor)]

    def _indexed(self, tensor: torch.Tensor, index: Any) -> torch.Tensor:
        place = self._place(tensor)
        return place if index is None or not _is_basic(index) else place[index]

    def _is_stale(self, tensor: torch.Tensor) -> bool:
        making = self._making(tensor)
        if making is None:
            return False
        known = self._renewed.get(id(tensor), making.time)
        within: Making | None = making
        while within is not None and id(within.args[0]) not in self.written:
            within = self._making(within.args[0])
        if within is None:
            return False
        base = self.base(tensor)
        since = [box for time, box in self.written.get(id(base), ()) if time > known]
        if base is tensor or not since:
            return False
        own = _box(self._place(tensor), self._place(base))
        meets = any(
            all(first <= end and start <= last for (first, last), (start, end) in zip(own, box))
            for box in since
        )
        if not meets:
            self._renewed[id(tensor)] = self._time
        return meets


def _box(place: torch.Tensor, base: torch.Tensor) -> _Box:
    """Return a box of `base` in which `place` lies: all of it where the order of elements is another."""
    everything = [(0, size - 1) for size in base.shape]
    steps = base.stride()
    if not base.is_contiguous() or 0 in base.shape:
        return everything
    first, rest = [], place.storage_offset()
    for step in steps:
        first.append(rest // step)
        rest %= step
    last = list(first)
    for size, stride in zip(place.shape, place.stride()):
        if size > 1 and stride:
            dim = next(dim for dim, step in enumerate(steps) if step <= stride)
            last[dim] += (size - 1) * (stride // steps[dim])
            if stride % steps[dim]:
                return everything
    fits = all(end < size for end, size in zip(last, base.shape))
    return list(zip(first, last)) if fits else everything


def _is_basic(index: Any) -> bool:
    """Whether an index takes a view: other indices take copies."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or (isinstance(part, (int, slice)) and not isinstance(part, bool))
        for part in parts
    )
