"""Call: what the handler of a torch function works with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from predictor_core.frontends.torch.tensors import tensors_of
from predictor_core.ir.graph import Shape

if TYPE_CHECKING:
    from predictor_core.frontends.torch.recorder import Recorder

Handler = Callable[..., Any]


class Untraceable(Exception):
    """The direct tracer can't follow this model; the message says why."""


class BatchMissing(Untraceable):
    """An op on images or sequences has met an input with one dimension less."""


class Valueless(Untraceable):
    """The model reads a value where there is a shape alone."""


class DataDependent(Valueless):
    """The model reads a value that depends on its input: which way it goes, only the input tells."""


def depends_on_values(error: Exception | None, inputs: str = "the example inputs") -> str:
    """Return the warning for a model that was read for the values of some inputs, by why it had to be."""
    return (
        f"what the model does depends on the values of its input ({error}); this is its latency for {inputs}"
    )


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

    def handled_by(self, handler: Handler) -> Any:
        """Return what a handler makes of the call, whichever arguments are given by keyword."""
        try:
            return handler(self, *self.args, **self.kwargs)
        except TypeError:
            ordered = None if _fits(handler, self) else _in_order(self.func, self.args, self.kwargs)
            if ordered is None:
                raise
        self.args, self.kwargs = ordered
        return handler(self, *self.args, **self.kwargs)

    def recorded(self) -> Any:
        """Record the function under its own name, and return what torch returns."""
        result = self.run()
        results = list(tensors_of(result))
        if results:
            self.recorder.record(self.name, list(tensors_of((self.args, self.kwargs))), results, {})
        return result

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
        if result is NotImplemented:
            # Comparisons with objects that are no tensors, such as None, are left to Python.
            return result
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

    def emit_unless_constant(
        self, op: str, sources: Sequence[Any], shape: Shape, attrs: Mapping[str, Any] | None = None
    ) -> Any:
        """Record a Node with one result, or return a constant where all that it reads is constant."""
        if any(map(self.tracked, sources)):
            return self.emit(op, sources, shape, attrs)
        return torch.empty(shape, dtype=sources[0].dtype, device="meta")

    def emit_once(
        self, op: str, source: torch.Tensor, shape: Shape, attrs: Mapping[str, Any]
    ) -> torch.Tensor:
        """Record a Node with one input, or return another name for the equal one that is there."""
        recorder = self.recorder
        key = (op, recorder.names[id(source)], shape, tuple(attrs.items()))
        known = recorder.repeated.get(key)
        if known is None:
            known = recorder.repeated[key] = self.emit(op, (source,), shape, attrs)
        alias = torch.empty(shape, dtype=source.dtype, device="meta")
        return recorder.bind(alias, known)

    def scalar(self, value: Any) -> float | None:
        """Value of a number or of a one-element constant, None where it is not known."""
        if isinstance(value, torch.Tensor):
            if value.numel() != 1:
                return None
            if value.is_meta:
                value = self.recorder.module_copy.originals.get(id(value))
                if value is None or value.is_meta:
                    return None
            return float(value)
        return float(value)


def same_shape(op: str) -> Handler:
    """Return the handler of a function whose result has the shape of its input."""

    def handler(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
        return call.emit(op, (input,), tuple(input.shape))

    return handler


def _fits(handler: Handler, call: Call) -> bool:
    """Whether a handler takes the arguments of a call, by the names that they have."""
    try:
        inspect.signature(handler).bind(call, *call.args, **call.kwargs)
    except TypeError:
        return False
    return True


def _in_order(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """Return the arguments of one of torch's own functions with as many as possible in order."""
    packet = getattr(torch.ops.aten, getattr(func, "__name__", ""), None)
    for overload in packet.overloads() if packet is not None else ():
        known = getattr(packet, overload)._schema.arguments
        names = ["input" if one.name == "self" else one.name for one in known if not one.kwarg_only]
        if not set(kwargs) <= {*names, *(one.name for one in known)}:
            continue
        ordered, rest = list(args), dict(kwargs)
        for name in names[len(args) :]:
            if name not in rest:
                break
            ordered.append(rest.pop(name))
        return tuple(ordered), rest
    return None
