"""Recorder of the direct tracer: a torch function mode that turns each function call into Nodes."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from predictor_core.frontends.torch.aliases import VIEWS
from predictor_core.frontends.torch.call import Call, DataDependent, Handler, Untraceable, Valueless
from predictor_core.frontends.torch.functions import (
    CHECKS,
    FACTORIES,
    FILLED,
    KERNEL_MODULES,
    MOST_KNOWN,
    QUERIES,
    READINGS,
    named,
    place_of_inplace,
)
from predictor_core.frontends.torch.module_copy import ModuleCopy
from predictor_core.frontends.torch.tape import Tape
from predictor_core.frontends.torch.tensors import moved_dtype, tensors_of, to_meta, without_override_check

_UNSEEN = "it runs code that torch function modes do not see (scripted code?)"


class Recorder(Tape, TorchFunctionMode):
    """Function mode that records what happens to the tensors that depend on the model's input.

    Parameters
    ----------
    module_copy : ModuleCopy
        The module that runs.
    handlers : mapping of str to Handler
        By function name, in-place marks removed.
    states : collection of int
        Ids of tensors of the caller's module that are inputs.
    floats : bool
        Whether small tensors of floats that the model fills have values, as those of integers have.
    """

    def __init__(
        self,
        module_copy: ModuleCopy,
        handlers: Mapping[str, Handler],
        states: Collection[int] = (),
        *,
        floats: bool = False,
    ) -> None:
        Tape.__init__(self, module_copy, states)
        TorchFunctionMode.__init__(self)
        self._handlers = handlers
        self._floats = floats
        #: Name, whether it works in place, and where it may be told to, by function.
        self._entries: dict[Any, tuple[str, bool, int | None]] = {}

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Call `func` with every real tensor among the arguments turned into a meta tensor."""
        try:
            return func(*to_meta(args), **to_meta(kwargs))
        except RuntimeError as error:
            if "item()" not in str(error):
                raise
            # Sizes may be given as tensors of one number, which are kept.
            return func(*to_meta(args, scalars=False), **to_meta(kwargs, scalars=False))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        caller = sys._getframe(1)
        module = caller.f_globals.get("__name__", "")
        if module.startswith(KERNEL_MODULES):
            raise Untraceable(_UNSEEN)
        entry = self._entries.get(func)
        if entry is None:
            entry = self._entries[func] = (*named(func, self._handlers), place_of_inplace(func))
        name = entry[0]
        kwargs = kwargs or {}
        if name in QUERIES:
            return func(*args, **kwargs)
        has_input, has_values, has_meta, has_real = self._scan(args, kwargs)
        if (has_input or has_meta) and func.__name__ in READINGS:
            if (module, caller.f_code.co_name) in CHECKS:
                return True
            if has_input or has_values:
                raise DataDependent(f"{func.__name__} of a tensor that depends on the input")
            raise Valueless(f"{func.__name__} of a tensor of weights")
        if not (has_input or has_values) or name in FACTORIES or func.__name__ in READINGS:
            return self._constant(func, name, args, kwargs, has_meta and has_real)
        if kwargs.get("out") is not None:
            return self._given(func, args, kwargs)
        body = None if name in self._handlers else without_override_check(func)
        if body is not None:
            with self:
                return body(*args, **kwargs)
        if not has_input and not has_meta and name != "iter":
            return self._computed(func, name, args, kwargs)
        return self._recorded(func, name, args, kwargs)

    def _computed(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Run a function on tensors that all have values, and record it."""
        result = self._constant(func, name, args, kwargs, False)
        values = list(tensors_of(result))
        self.is_computed = True
        try:
            made = tensors_of(self._recorded(func, name, args, kwargs))
            for value, one in zip(values, made):
                self.bind(value, one)
        except (RuntimeError, Valueless):
            # Its shape depends on values.
            self.record(name, list(tensors_of((args, kwargs))), values, {})
        finally:
            self.is_computed = False
        self.valued.update(map(id, values))
        return result

    def _recorded(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        handler = self._handlers.get(name)
        call = Call(self, func, name, args, kwargs)
        result = NotImplemented if handler is None else call.handled_by(handler)
        if result is NotImplemented:
            result = call.recorded()
        _, in_place, place = self._entries[func]
        in_place = in_place or bool(kwargs.get("inplace") or (place and args[place:] and args[place]))
        if not in_place:
            self.aliases.note(func, name, args, kwargs, result)
        elif isinstance(result, torch.Tensor):
            target = args[0] if args else kwargs["input"]
            return self.bind(target, result) if name in VIEWS else self.overwrite(target, result)
        return result

    def _given(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a function that writes its results to tensors that it is given."""
        kwargs = dict(kwargs)
        out = kwargs.pop("out")
        result = self.__torch_function__(getattr(func, "overloadpacket", func), (), args, kwargs)
        for target, made in zip(tensors_of(out), tensors_of(result)):
            self.overwrite(target, made)
        return out

    def name_of(self, tensor: torch.Tensor) -> str | None:
        """Name of what a tensor holds now, None where that does not depend on the model's input."""
        self._refresh(tensor)
        return self.names.get(id(tensor))

    def _refresh(self, tensor: torch.Tensor) -> None:
        """Repeat how a view was made, where what it lies in was written to since."""
        for making in self.aliases.stale(tensor):
            result = self.__torch_function__(making.function, (), making.args, making.kwargs)
            for view, made in zip(making.views, tensors_of(result)):
                if self.aliases.renew(view):
                    self.bind(view, self.shaped_as(view, made))

    def _scan(self, args: Any, kwargs: Any) -> tuple[bool, bool, bool, bool]:
        """Whether tracked tensors without and with values, meta and real ones are among the arguments."""
        names, constants = self.names, self.constants
        has_input = has_values = has_meta = has_real = False
        pending = [*args, *kwargs.values()] if kwargs else list(args)
        while pending:
            value = pending.pop()
            if isinstance(value, torch.Tensor):
                if self.aliases.written:
                    self._refresh(value)
                if id(value) in self.valued:
                    has_values = True
                elif id(value) in names:
                    has_input = True
                elif value.is_meta and id(value) not in constants:
                    raise Untraceable(_UNSEEN)
                if value.is_meta:
                    has_meta = True
                else:
                    has_real = True
            elif isinstance(value, (tuple, list)):
                pending.extend(value)
        return has_input, has_values, has_meta, has_real

    def _constant(self, func: Any, name: str, args: Any, kwargs: Any, mixed: bool) -> Any:
        """Run a function of constants for real where they have values, on meta tensors where not."""
        if name in ("to", "cpu", "cuda", "_to_copy"):
            # A constant keeps its values where ``forward`` moves it to the device of the input.
            result = args[0].to(moved_dtype(args, kwargs))
        elif name in FILLED and str(kwargs.get("device")) == "meta":
            result = func(*args, **kwargs)
            if result.numel() <= MOST_KNOWN and (self._floats or not result.is_floating_point()):
                result = func(*args, **{**kwargs, "device": "cpu"})
        elif mixed:
            result = self.run(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
            self.aliases.note(func, name, args, kwargs, result)
        for tensor in tensors_of(result):
            if tensor.is_meta:
                self.keep(tensor)
        return result
