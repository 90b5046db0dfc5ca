"""Recorder of the direct tracer: a torch function mode that turns each function call into Nodes."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from types import FunctionType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from predictor_core.frontends.torch.aliases import Aliases
from predictor_core.frontends.torch.call import Call, DataDependent, Handler, Untraceable, Valueless
from predictor_core.frontends.torch.functions import (
    CHECKS,
    FACTORIES,
    FILLED,
    KERNEL_MODULES,
    MOST_KNOWN,
    QUERIES,
    READINGS,
    TENSOR_ATTRIBUTES,
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
        self.aliases = Aliases(self.names)
        self._constants: set[int] = set(module_copy.originals)
        self._must_adopt = not modes_see_indexing()
        for tensor in module_copy.replacements().values():
            self._adopt(tensor)
        self._alive: list[Any] = []
        self._entries: dict[Any, tuple[Handler | None, str, bool]] = {}
        self._open_functions: dict[FunctionType, FunctionType] = {}
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
            entry = self._entries[func] = self._resolve(func)
        handler, name, in_place = entry
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
        result: Any = NotImplemented
        if handler is not None:
            result = Call(self, func, name, args, kwargs).handled_by(handler)
        elif isinstance(func, FunctionType):
            with self:
                return self._opened(func)(*args, **kwargs)
        if result is NotImplemented:
            result = self._generic(func, name, args, kwargs)
        self.aliases.note(name, args, result)
        if (in_place or kwargs.get("inplace")) and isinstance(result, torch.Tensor):
            return self.overwrite(args[0] if args else kwargs["input"], result)
        out = kwargs.get("out")
        return self.overwrite(out, result) if isinstance(out, torch.Tensor) else result

    def overwrite(
        self, target: torch.Tensor, result: torch.Tensor, part: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Let `target`, and what it is a view of, hold `result` from now on, as an in-place function does.

        `part` is what was written, where that is less than all of `target`.
        """
        self._known_inputs.pop(id(target), None)
        name = self.names.get(id(result))
        if name is None:
            self._constants.add(id(target))
        else:
            base = self.aliases.base(target)
            self.states.note_written(base)
            self.names[id(target)] = name
            if base is not target and not self.aliases.is_stored(base, result):
                self._write_through(base, result, result if part is None else part)
                self.aliases.note_stored(target)
        self._adopt(target)
        self._alive.append(target)
        if target.shape != result.shape:
            target.data = result
        return target

    def _write_through(self, base: torch.Tensor, result: torch.Tensor, part: torch.Tensor) -> None:
        """Let `base` hold what was written to a view of it."""
        self._adopt(base)
        self._alive.append(base)
        if base.shape != result.shape:
            made = torch.empty(base.shape, dtype=base.dtype, device="meta")
            if base.numel() == result.numel():
                self.record("reshape", [result], [made], {})
            else:
                self.record("ScatterND", [base, part], [made], {})
            result = made
        self.names[id(base)] = self.names[id(result)]

    def _scan(self, args: Any, kwargs: Any) -> tuple[bool, bool, bool]:
        """Whether tracked, meta and real tensors are among the arguments, lists included."""
        names, constants = self.names, self._constants
        has_input = has_meta = has_real = False
        pending = [*args, *kwargs.values()] if kwargs else list(args)
        while pending:
            value = pending.pop()
            if isinstance(value, torch.Tensor):
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
            if name == "detach":
                self.aliases.note(name, args, result)
                self._alive.append(result)
        for tensor in tensors_of(result):
            if tensor.is_meta:
                self._constants.add(id(tensor))
                self._adopt(tensor)
                self._alive.append(tensor)
        return result

    def _generic(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Record a function that has no handler under its own name."""
        result = self.run(func, args, kwargs)
        results = list(tensors_of(result))
        if results:
            sources = list(tensors_of((args, kwargs)))
            self.record(name, sources, results, {})
        return result

    def _opened(self, func: FunctionType) -> FunctionType:
        opened = self._open_functions.get(func)
        if opened is None:
            opened = self._open_functions[func] = without_override_check(func)
        return opened

    def _resolve(self, func: Any) -> tuple[Handler | None, str, bool]:
        name: str = getattr(func, "__name__", str(func))
        packet = getattr(func, "overloadpacket", None)
        if packet is not None:
            name = packet.__name__
        if name == "__set__":
            name = f"set_{func.__self__.__name__}"
        elif name == "__get__":
            attribute = func.__self__.__name__
            name = TENSOR_ATTRIBUTES.get(attribute, "size")
        in_place = False
        if (
            name.startswith("__i")
            and name.endswith("__")
            and name not in ("__invert__", "__iter__", "__int__", "__index__")
        ):
            name, in_place = name[3:-2], True
        elif name.startswith("__") and name.endswith("__"):
            bare = name[2:-2]
            reflected = bare[1:]
            if bare in self._handlers:
                name = bare
            elif bare.startswith("r") and reflected in ("add", "mul", "matmul"):
                name = "__rmatmul__" if reflected == "matmul" else reflected
        elif name.endswith("_") and name != "requires_grad_":
            name, in_place = name[:-1], True
        return self._handlers.get(name), name, in_place
