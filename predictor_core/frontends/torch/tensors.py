"""What the direct tracer needs to know about torch's tensors and functions."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode, handle_torch_function, has_torch_function

_OVERRIDE_CHECKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")


class Indexed(torch.Tensor):
    """Tensor whose indexing asks the function mode, for the releases of torch that leave it out."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __getitem__(self, index: Any) -> Any:
        if has_torch_function((self,)):
            return handle_torch_function(torch.Tensor.__getitem__, (self,), self, index)
        return super().__getitem__(index)


@cache
def modes_see_indexing() -> bool:
    """Whether function modes of the installed torch are asked about ``tensor[index]``."""
    seen = []

    class Probe(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func)
            return func(*args, **(kwargs or {}))

    tensor = torch.empty(1, device="meta")
    with Probe():
        tensor[0]
    return bool(seen)


def moved_dtype(args: Sequence[Any], kwargs: Mapping[str, Any]) -> torch.dtype:
    """Dtype of the result of ``Tensor.to`` with these arguments."""
    dtype: torch.dtype = args[0].dtype
    for value in (*args[1:], *kwargs.values()):
        if isinstance(value, torch.dtype):
            dtype = value
        elif isinstance(value, torch.Tensor):
            dtype = value.dtype
    return dtype


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """Tensors in nested tuples, lists, mappings and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_of(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_of(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_of(getattr(value, field.name))


def mapped(
    value: Any,
    change: Callable[[torch.Tensor], torch.Tensor],
    other: Callable[[Any], Any] = lambda value: value,
) -> Any:
    """Replace the tensors in nested lists and dicts by what `change` makes of them, all else by `other`'s."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(mapped(item, change, other) for item in value)
    if type(value) is dict:
        return {key: mapped(item, change, other) for key, item in value.items()}
    return other(value)


def to_meta(value: Any, *, scalars: bool = True) -> Any:
    """Replace the real tensors in nested lists and dicts by meta tensors, those of no dimensions if asked."""
    return mapped(value, lambda one: _on_meta(one) if scalars or one.dim() else one)


def _on_meta(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.is_meta else torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


@cache
def without_override_check(func: Any) -> FunctionType | None:
    """Return a torch function written in Python whose body runs, instead of asking the mode again.

    None for other functions, and for those that leave the asking to a function that they call.
    """
    if not isinstance(func, FunctionType) or not {*_OVERRIDE_CHECKS}.intersection(func.__code__.co_names):
        return None
    scope = {**func.__globals__, **dict.fromkeys(_OVERRIDE_CHECKS, _no_override)}
    opened = FunctionType(func.__code__, scope, func.__name__, func.__defaults__, func.__closure__)
    opened.__kwdefaults__ = func.__kwdefaults__
    return opened


def _no_override(*_: Any) -> bool:
    return False


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave the generators of random, numpy and torch as they were, whatever ``forward`` draws.

    In a thread other than the main one, or beside threads that are no daemons, the generators are left alone:
    others may have drawn meanwhile, and would draw the same again.
    """
    numpy: Any
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that others use
    own = torch.random.get_rng_state()
    try:
        yield
    finally:
        main = threading.main_thread()
        current = threading.current_thread()
        others = any(not one.daemon and one not in (main, current) for one in threading.enumerate())
        if not others and current is main:
            if random.getstate() != python:
                random.setstate(python)
            now: Any = np.random.get_state()  # noqa: NPY002
            if now[2:] != numpy[2:] or not np.array_equal(now[1], numpy[1]):
                np.random.set_state(numpy)  # noqa: NPY002
            if not torch.equal(torch.random.get_rng_state(), own):
                torch.random.set_rng_state(own)
