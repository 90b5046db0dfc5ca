"""Copies of what a module keeps beside tensors: containers, objects, closures that ``forward`` may change."""

from __future__ import annotations

import enum
import functools
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from predictor_core.frontends.torch.tensors import mapped

#: Values that nothing can change.
ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size})

#: Containers with more items are copied without what is in them: they are data, not state.
_MANY_ITEMS = 10_000

#: Packages whose objects stand for things outside the model: threads, files, loggers, torch's own machinery.
_OUTSIDE = frozenset(
    {
        *("asyncio", "concurrent", "ctypes", "io", "logging", "multiprocessing", "pathlib", "queue", "re"),
        *("socket", "subprocess", "tempfile", "threading", "torch", "weakref"),
    }
)


class Copier:
    """Copies values so that what was shared among them stays shared.

    No code of the copied classes runs. Objects of C extensions, with finalisers, or of `_OUTSIDE` packages
    are shared with the caller, as are the globals and class attributes that ``forward`` may use.

    Parameters
    ----------
    memo : dict of int to object
        Copy by the id of the original; shared with the owner.
    own : callable
        Returns the copy of a value (value, path) that the owner copies itself, else NotImplemented.
    """

    def __init__(self, memo: dict[int, Any], own: Callable[[Any, str], Any]) -> None:
        self._memo = memo
        self._own = own

    def copy(self, value: Any, path: str) -> Any:
        """Return the copy of a value found at `path`, or the value itself where nothing can change."""
        if type(value) in ATOMS:
            return value
        known = self._memo.get(id(value))
        if known is not None:
            return known
        made = self._own(value, path)
        if made is not NotImplemented:
            return made
        if isinstance(value, (list, set, deque)):
            return self._collection(value, path)
        if isinstance(value, dict):
            return self._mapping(value, path)
        if isinstance(value, tuple):
            items = [self.copy(item, path) for item in value]
            changed = any(item is not old for item, old in zip(items, value))
            return self._known(value, tuple.__new__(type(value), items)) if changed else value
        if isinstance(value, np.ndarray):
            return self._known(value, value.copy())
        if isinstance(value, types.MethodType):
            owner = self.copy(value.__self__, path)
            return value if owner is value.__self__ else types.MethodType(value.__func__, owner)
        if isinstance(value, functools.partial):
            made = functools.partial(
                self.copy(value.func, path),
                *(self.copy(item, path) for item in value.args),
                **{key: self.copy(item, path) for key, item in value.keywords.items()},
            )
            return self._known(value, made)
        if isinstance(value, types.FunctionType):
            return self._function(value, path)
        return self._object(value, path)

    def _known(self, value: Any, made: Any) -> Any:
        self._memo[id(value)] = made
        return made

    def _collection(self, value: Any, path: str) -> Any:
        made = self._known(value, _blank(value))
        if isinstance(value, deque):
            deque.__init__(made, (), value.maxlen)
        add: Any = {list: list.append, set: set.add, deque: deque.append}[_base(value, (list, set, deque))]
        few = len(value) <= _MANY_ITEMS
        for item in value:
            add(made, self.copy(item, path) if few else item)
        self._attributes(value, made, path)
        return made

    def _mapping(self, value: dict[Any, Any], path: str) -> Any:
        made = self._known(value, _blank(value))
        base = _base(value, (OrderedDict, dict))
        few = len(value) <= _MANY_ITEMS
        for key, item in base.items(value):
            base.__setitem__(made, key, self.copy(item, path) if few else item)
        if isinstance(value, defaultdict):
            made.default_factory = self.copy(value.default_factory, path)
        self._attributes(value, made, path)
        return made

    def _function(self, value: types.FunctionType, path: str) -> Any:
        """Return a function over copies of what its closure holds."""
        if not value.__closure__:
            return value
        cells = tuple([self._cell(cell, path) for cell in value.__closure__])
        if all(cell is old for cell, old in zip(cells, value.__closure__)):
            return value
        made = types.FunctionType(
            value.__code__, value.__globals__, value.__name__, value.__defaults__, cells
        )
        made.__kwdefaults__ = value.__kwdefaults__
        made.__dict__.update(value.__dict__)
        return self._known(value, made)

    def _cell(self, cell: Any, path: str) -> Any:
        known = self._memo.get(id(cell))
        if known is not None:
            return known
        try:
            content = cell.cell_contents
        except ValueError:
            return cell
        if isinstance(content, type) or type(content) in ATOMS:
            # A closure may count with ``nonlocal``.
            return self._known(cell, types.CellType(content))
        made = self._known(cell, types.CellType())
        made.cell_contents = self.copy(content, path)
        return made

    def _object(self, value: Any, path: str) -> Any:
        kind: Any = type(value)
        if (
            kind.__new__ not in (object.__new__, types.SimpleNamespace.__new__)
            or hasattr(kind, "__del__")
            or isinstance(value, (type, enum.Enum, types.ModuleType))
            or kind.__module__.partition(".")[0] in _OUTSIDE
            or not (getattr(value, "__dict__", None) or _slots(kind))
        ):
            return value
        made = self._known(value, _blank(value))
        self._attributes(value, made, path)
        return made

    def _attributes(self, value: Any, made: Any, path: str) -> None:
        own = getattr(value, "__dict__", None)
        if own:
            made.__dict__.update({key: self.copy(item, path) for key, item in own.items()})
        for name in _slots(type(value)):
            try:
                object.__setattr__(made, name, self.copy(object.__getattribute__(value, name), path))
            except AttributeError:
                continue


def copied(values: Any, as_input: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Copy the arguments of a call, with what `as_input` makes of their tensors.

    Tensors of one element in objects, which count, are copied as they are.
    """
    memo: dict[int, Any] = {}

    def own(value: Any, path: str) -> Any:
        if isinstance(value, torch.nn.Module):
            return value
        if not isinstance(value, torch.Tensor):
            return NotImplemented
        counts = value.numel() <= 1 and not value.is_meta
        made = memo[id(value)] = value.detach().clone() if counts else as_input(value)
        return made

    copier = Copier(memo, own)
    return mapped(values, as_input, lambda value: copier.copy(value, ""))


def _blank(value: Any) -> Any:
    """Return an object of the same class that nothing has initialised."""
    kind: Any = type(value)
    return kind.__new__(kind)


def _base(value: Any, bases: tuple[Any, ...]) -> Any:
    return next(base for base in bases if isinstance(value, base))


def _slots(kind: type) -> list[str]:
    """Names of the slots of a class and its bases."""
    found = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                private = name.startswith("__") and not name.endswith("__")
                found.append(f"_{base.__name__.lstrip('_')}{name}" if private else name)
    return found
