"""Recorder of the direct tracer: a torch function mode that turns each function call into Nodes."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from types import FunctionType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from predictor_core.frontends.torch.aliases import VIEWS, Aliases
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
from predictor_core.frontends.torch.states import States
from predictor_core.frontends.torch.tensors import (
    Indexed,
    mapped,
    modes_see_indexing,
    moved_dtype,
    tensors_of,
    to_meta,
    without_override_check,
)
from predictor_core.ir.graph import Node

_UNSEEN = "it runs code that torch function modes do not see (scripted code?)"


class Recorder(TorchFunctionMode):
    """Function mode that records what happens to the tracked tensors.

    Parameters
    ----------
    module_copy : ModuleCopy
        The module that runs; it tells scopes.
    handlers : mapping of str to Handler
        By function name, in-place marks removed.
    states : collection of int
        Ids of tensors of the caller's module that a call finds as the one before has left them: inputs.
    """

    def __init__(
        self, module_copy: ModuleCopy, handlers: Mapping[str, Handler], states: Collection[int] = ()
    ) -> None:
        super().__init__()
        self.module_copy = module_copy
        self.nodes: list[Node] = []
        #: What had to be assumed, each once.
        self.warnings: dict[str, None] = {}
        #: Tensor name by object id, for tensors that depend on the model's input.
        self.names: dict[int, str] = {}
        #: Result by (op, input, attributes), of ops that are recorded once.
        self.repeated: dict[tuple[Any, ...], torch.Tensor] = {}
        #: Inputs whose values are known, by the id of what stands for them.
        self._known_inputs: dict[int, torch.Tensor] = {}
        self._handlers = handlers
        self.states = States(module_copy, states)
        self.aliases = Aliases()
        self._constants: set[int] = set(module_copy.originals)
        self._must_adopt = not modes_see_indexing()
        for tensor in module_copy.replacements().values():
            self._adopt(tensor)
        self._alive: list[Any] = []
        #: Name, whether it works in place, and where it may be told to, by function.
        self._entries: dict[Any, tuple[str, bool, int | None]] = {}
        self._used: dict[str, int] = {}
        for original, tensor, path in self.states.found():
            self._constants.discard(id(tensor))
            self.input(tensor, path)
            self.states.names[original] = self.names[id(tensor)]

    def input(self, tensor: torch.Tensor, name: str, known: torch.Tensor | None = None) -> torch.Tensor:
        """Declare a tensor as an input; what `forward` computes from `known` values alone is a constant."""
        if known is not None:
            self._known_inputs[id(tensor)] = known
        self.nodes.append(Node(self._unique(name), "input", outputs=(tuple(tensor.shape),)))
        self.names[id(tensor)] = self.nodes[-1].name
        self._adopt(tensor)
        self._alive.append(tensor)
        return tensor

    def record(
        self, op: str, sources: Sequence[Any], results: Sequence[torch.Tensor], attrs: Mapping[str, Any]
    ) -> None:
        """Append a Node that reads the tracked ones of `sources` and makes `results`.

        Nothing is recorded of what has no elements: from then on it is a constant.
        """
        names = self.names
        if not any(one.numel() for one in results):
            self._constants.update(id(one) for one in results)
            self._alive.append(results)
            return
        scope = self.module_copy.scopes[-1]
        if scope and scope in self.module_copy.leaves and scope not in self._used:
            base = scope
        else:
            base = f"{scope}.{op}" if scope else op
        inputs = tuple([names[id(source)] for source in sources if id(source) in names])
        node = Node(
            self._unique(base), op, inputs, attrs, tuple([tuple(one.shape) for one in results]), scope
        )
        self.nodes.append(node)
        for result, tensor in zip(results, node.tensors):
            names[id(result)] = tensor
            self._adopt(result)
        self._alive.append(results)

    def _adopt(self, tensor: torch.Tensor) -> None:
        if self._must_adopt and type(tensor) is torch.Tensor:
            tensor.__class__ = Indexed

    def _unique(self, base: str) -> str:
        count = self._used.get(base, 0)
        self._used[base] = count + 1
        if not count:
            return base
        name = f"{base}_{count}"
        return name if name not in self._used else self._unique(name)

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Call `func` with every real tensor among the arguments turned into a meta tensor."""
        return func(*to_meta(args), **to_meta(kwargs))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        caller = sys._getframe(1)
        module = caller.f_globals.get("__name__", "")
        if module.startswith(KERNEL_MODULES):
            raise Untraceable(_UNSEEN)
        entry = self._entries.get(func)
        if entry is None:
            entry = self._entries[func] = (*named(func, self._handlers), place_of_inplace(func))
        name, in_place, place = entry
        kwargs = kwargs or {}
        if name in QUERIES:
            return func(*args, **kwargs)
        has_input, has_meta, has_real = self._scan(args, kwargs)
        if has_input and self._known_inputs:
            known_args, known_kwargs = mapped(
                (tuple(args), kwargs), lambda one: self._known_inputs.get(id(one), one)
            )
            if not any(self._scan(known_args, known_kwargs)[:2]):
                return self._constant(func, name, known_args, known_kwargs, False)
        if (has_input or has_meta) and func.__name__ in READINGS:
            if (module, caller.f_code.co_name) in CHECKS:
                return True
            if has_input:
                raise DataDependent(f"{func.__name__} of a tensor that depends on the input")
            raise Valueless(f"{func.__name__} of a tensor of weights")
        if not has_input or name in FACTORIES:
            return self._constant(func, name, args, kwargs, has_meta and has_real)
        if kwargs.get("out") is not None:
            return self._given(func, args, kwargs)
        handler = self._handlers.get(name)
        if handler is None and isinstance(func, FunctionType):
            with self:
                return without_override_check(func)(*args, **kwargs)
        call = Call(self, func, name, args, kwargs)
        result = NotImplemented if handler is None else call.handled_by(handler)
        if result is NotImplemented:
            result = call.recorded()
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
                    self.bind(view, self._shaped_as(view, made))

    def bind(self, target: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Let `target` alone hold `result` from now on."""
        name = self.names.get(id(result))
        if name is None:
            self.names.pop(id(target), None)
            self._constants.add(id(target))
        else:
            self.names[id(target)] = name
        self._adopt(target)
        self._alive.append(target)
        if target.shape != result.shape:
            if target.is_meta == result.is_meta:
                target.data = result
            else:
                target.resize_(result.shape)
        return target

    def overwrite(
        self,
        target: torch.Tensor,
        result: torch.Tensor,
        part: torch.Tensor | None = None,
        index: Any = None,
    ) -> torch.Tensor:
        """Let `target`, and what it is a view of, hold `result` from now on, as an in-place function does.

        `part` is what was written at `index`, where that is less than all of `target`.
        """
        self._known_inputs.pop(id(target), None)
        if result is not target and self.aliases.are_one(result, target):
            return target
        self.bind(target, result)
        if id(target) not in self.names:
            return target
        base = self.aliases.base(target)
        self.states.note_written(base)
        if base is not target:
            if base.numel() == result.numel():
                whole = self._shaped_as(base, result)
            else:
                whole = torch.empty(base.shape, dtype=base.dtype, device="meta")
                self.record("ScatterND", [base, result if part is None else part], [whole], {})
            self.bind(base, whole)
        self.aliases.note_written(target, index)
        return target

    def _shaped_as(self, like: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
        if like.shape == tensor.shape or id(tensor) not in self.names:
            return tensor
        made = torch.empty(like.shape, dtype=like.dtype, device="meta")
        self.record("reshape", [tensor], [made], {})
        return made

    def _scan(self, args: Any, kwargs: Any) -> tuple[bool, bool, bool]:
        """Whether tracked, meta and real tensors are among the arguments, lists included."""
        names, constants = self.names, self._constants
        has_input = has_meta = has_real = False
        pending = [*args, *kwargs.values()] if kwargs else list(args)
        while pending:
            value = pending.pop()
            if isinstance(value, torch.Tensor):
                if self.aliases.written:
                    self._refresh(value)
                if id(value) in names:
                    has_input = True
                elif value.is_meta and id(value) not in constants:
                    raise Untraceable(_UNSEEN)
                if value.is_meta:
                    has_meta = True
                else:
                    has_real = True
            elif isinstance(value, (tuple, list)):
                pending.extend(value)
        return has_input, has_meta, has_real

    def _constant(self, func: Any, name: str, args: Any, kwargs: Any, mixed: bool) -> Any:
        """Run a function of constants for real where they have values, on meta tensors where not."""
        if name in ("to", "cpu", "cuda", "_to_copy"):
            # A constant keeps its values where ``forward`` moves it to the device of the input.
            result = args[0].to(moved_dtype(args, kwargs))
        elif name in FILLED and str(kwargs.get("device")) == "meta":
            result = func(*args, **kwargs)
            if result.numel() <= MOST_KNOWN and not result.is_floating_point():
                result = func(*args, **{**kwargs, "device": "cpu"})
        elif mixed:
            result = self.run(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
            self.aliases.note(func, name, args, kwargs, result)
        for tensor in tensors_of(result):
            if tensor.is_meta:
                self._constants.add(id(tensor))
                self._adopt(tensor)
                self._alive.append(tensor)
        return result
