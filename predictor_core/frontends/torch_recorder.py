"""Recorder of the direct tracer: a torch function mode that turns each function call into Nodes."""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode, handle_torch_function, has_torch_function

from predictor_core.frontends.torch_shadow import Shadow
from predictor_core.ir.graph import Node, Shape

Handler = Callable[..., Any]


class Untraceable(Exception):
    """The direct tracer can't follow this model; the message says why."""


#: Functions that tell about a tensor and make none.
_QUERIES = frozenset(
    {
        *("size", "dim", "ndimension", "stride", "numel", "nelement", "element_size", "storage_offset"),
        *("is_contiguous", "is_floating_point", "is_complex", "is_nonzero", "is_same_size", "is_pinned"),
        *("is_tensor", "is_signed", "is_inference", "is_shared", "get_device", "result_type", "can_cast"),
        *("__len__", "__hash__", "__repr__", "__format__", "register_hook", "requires_grad_", "retain_grad"),
    }
)
#: Attributes of a tensor that are tensors; all others are queries.
_TENSOR_ATTRIBUTES = {
    "T": "t",
    "mT": "mT",
    "H": "adjoint",
    "mH": "adjoint",
    "data": "detach",
    "real": "detach",
}

#: Functions that take only shape, type and device from a tensor: their result is a constant.
_FACTORIES = frozenset(
    {
        *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like"),
        *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor"),
    }
)

#: Where torch's own kernels for meta tensors are. Handlers run with the mode off, so that a call from there
#: means that the kernel was started by code that the mode has not seen.
_KERNEL_MODULES = (
    "torch._refs",
    "torch._prims",
    "torch._decomp",
    "torch._meta_registrations",
    "torch._library",
)
_UNSEEN = "it runs code that torch function modes do not see (scripted code?)"

_OVERRIDE_CHECKS = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")


class Call:
    """One intercepted torch function, as a handler sees it.

    Handlers take the Call and the function's own arguments, record Nodes with `emit`, and return
    what the function returns; ``NotImplemented`` leaves the function to the generic rule.
    """

    __slots__ = ("args", "func", "kwargs", "name", "recorder")

    def __init__(self, recorder: Recorder, func: Any, name: str, args: Any, kwargs: Any) -> None:
        self.recorder = recorder
        self.func = func
        self.name = name
        self.args = args
        self.kwargs = kwargs

    def run(self) -> Any:
        """Return what torch returns, as meta tensors."""
        return self.recorder.run(self.func, self.args, self.kwargs)

    def tracked(self, value: Any) -> bool:
        """Whether `value` is a tensor that depends on the model's input."""
        return id(value) in self.recorder.names

    def emit(
        self,
        op: str,
        sources: Sequence[Any],
        result: Any,
        attrs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record a Node and return `result`.

        Parameters
        ----------
        op : str
            Canonical op.
        sources : sequence of Tensor
            What the op reads; constants among them are left out.
        result : Tensor, shape tuple, or list of either
            What it makes; a shape becomes a meta tensor of the first source's dtype.
        attrs : mapping, optional
            Attributes of the Node, channels first.
        """
        recorder = self.recorder
        if isinstance(result, tuple):
            result = torch.empty(result, dtype=sources[0].dtype, device="meta")
        elif isinstance(result, list):
            result = [
                torch.empty(one, dtype=sources[0].dtype, device="meta") if isinstance(one, tuple) else one
                for one in result
            ]
        recorder.record(op, sources, result if isinstance(result, list) else [result], attrs or {})
        return result

    def emit_once(
        self, op: str, source: torch.Tensor, shape: Shape, attrs: Mapping[str, Any]
    ) -> torch.Tensor:
        """Record a Node with one input, or return another name for the equal one that is there."""
        recorder = self.recorder
        key = (op, recorder.names[id(source)], tuple(attrs.items()))
        known = recorder.repeated.get(key)
        if known is None:
            known = recorder.repeated[key] = self.emit(op, (source,), shape, attrs)
        alias = torch.empty(shape, dtype=source.dtype, device="meta")
        return recorder.overwrite(alias, known)

    def scalar(self, value: Any) -> float | None:
        """Value of a number or of a one-element constant, None where it is not known."""
        if isinstance(value, torch.Tensor):
            if value.numel() != 1:
                return None
            if value.is_meta:
                value = self.recorder.shadow.originals.get(id(value))
                if value is None or value.is_meta:
                    return None
            return float(value)
        return float(value)


class _Indexed(torch.Tensor):
    """Tensor whose indexing asks the function mode, for the releases of torch that leave it out."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __getitem__(self, index: Any) -> Any:
        if has_torch_function((self,)):
            return handle_torch_function(torch.Tensor.__getitem__, (self,), self, index)
        return super().__getitem__(index)


@cache
def _modes_see_indexing() -> bool:
    seen = []

    class Probe(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func)
            return func(*args, **(kwargs or {}))

    tensor = torch.empty(1, device="meta")
    with Probe():
        tensor[0]
    return bool(seen)


class Recorder(TorchFunctionMode):
    """Function mode that records what happens to the tracked tensors.

    Parameters
    ----------
    shadow : Shadow
        The module that runs; it tells scopes.
    handlers : mapping of str to Handler
        By function name, in-place marks removed.
    """

    def __init__(self, shadow: Shadow, handlers: Mapping[str, Handler]) -> None:
        super().__init__()
        self.shadow = shadow
        self.nodes: list[Node] = []
        #: Tensor name by object id, for tensors that depend on the model's input.
        self.names: dict[int, str] = {}
        #: Result by (op, input, attributes), of ops that are recorded once.
        self.repeated: dict[tuple[Any, ...], torch.Tensor] = {}
        self._handlers = handlers
        self._constants: set[int] = set(shadow.originals)
        self._must_adopt = not _modes_see_indexing()
        for tensor in shadow.stand_ins():
            self._adopt(tensor)
        self._alive: list[Any] = []
        self._entries: dict[Any, tuple[Handler | None, str, bool]] = {}
        self._open_functions: dict[FunctionType, FunctionType] = {}
        self._used: dict[str, int] = {}

    def input(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        """Declare a tensor as an input of the model."""
        self.nodes.append(Node(self._unique(name), "input", outputs=(tuple(tensor.shape),)))
        self.names[id(tensor)] = self.nodes[-1].name
        self._adopt(tensor)
        self._alive.append(tensor)
        return tensor

    def record(
        self, op: str, sources: Sequence[Any], results: Sequence[torch.Tensor], attrs: Mapping[str, Any]
    ) -> None:
        """Append a Node that reads the tracked ones of `sources` and makes `results`."""
        names = self.names
        scope = self.shadow.scopes[-1]
        if scope and scope in self.shadow.leaves and scope not in self._used:
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
            tensor.__class__ = _Indexed

    def _unique(self, base: str) -> str:
        count = self._used.get(base, 0)
        self._used[base] = count + 1
        if not count:
            return base
        name = f"{base}_{count}"
        return name if name not in self._used else self._unique(name)

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Call `func` with every real tensor among the arguments turned into a meta tensor."""
        result = func(*_to_meta(args), **_to_meta(kwargs))
        return result

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if sys._getframe(1).f_globals.get("__name__", "").startswith(_KERNEL_MODULES):
            raise Untraceable(_UNSEEN)
        entry = self._entries.get(func)
        if entry is None:
            entry = self._entries[func] = self._resolve(func)
        handler, name, in_place = entry
        kwargs = kwargs or {}
        if name in _QUERIES:
            return func(*args, **kwargs)
        has_input, has_meta, has_real = self._scan(args, kwargs)
        if not has_input or name in _FACTORIES:
            return self._constant(func, name, args, kwargs, has_meta and has_real)
        result: Any = NotImplemented
        if handler is not None:
            result = handler(Call(self, func, name, args, kwargs), *args, **kwargs)
        elif isinstance(func, FunctionType):
            with self:
                return self._opened(func)(*args, **kwargs)
        if result is NotImplemented:
            result = self._generic(func, name, args, kwargs)
        if (in_place or kwargs.get("inplace")) and isinstance(result, torch.Tensor):
            return self.overwrite(args[0] if args else kwargs["input"], result)
        out = kwargs.get("out")
        return self.overwrite(out, result) if isinstance(out, torch.Tensor) else result

    def overwrite(self, target: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Let `target` hold `result` from now on, as an in-place function does."""
        self.names[id(target)] = self.names[id(result)]
        self._adopt(target)
        self._alive.append(target)
        if target.shape != result.shape:
            target.data = result
        return target

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
        if name in ("to", "cpu", "cuda", "_to_copy") and args and args[0].is_meta:
            result = args[0].to(moved_dtype(args, kwargs))
        elif mixed:
            result = self.run(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
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
            opened = self._open_functions[func] = _without_override_check(func)
        return opened

    def _resolve(self, func: Any) -> tuple[Handler | None, str, bool]:
        name: str = getattr(func, "__name__", str(func))
        packet = getattr(func, "overloadpacket", None)
        if packet is not None:
            name = packet.__name__
        if name == "__get__":
            attribute = func.__self__.__name__
            name = _TENSOR_ATTRIBUTES.get(attribute, "size")
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


def _to_meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value if value.is_meta else torch.empty(value.shape, dtype=value.dtype, device="meta")
    if type(value) in (tuple, list):
        return type(value)(_to_meta(item) for item in value)
    if type(value) is dict:
        return {key: _to_meta(item) for key, item in value.items()}
    return value


def _without_override_check(func: FunctionType) -> FunctionType:
    """Return a torch function written in Python whose body runs, instead of asking the mode again."""
    scope = {**func.__globals__, **dict.fromkeys(_OVERRIDE_CHECKS, _no_override)}
    opened = FunctionType(func.__code__, scope, func.__name__, func.__defaults__, func.__closure__)
    opened.__kwdefaults__ = func.__kwdefaults__
    return opened


def _no_override(*_: Any) -> bool:
    return False


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave the generators of random, numpy and torch as they were, whatever ``forward`` draws."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that others use
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
