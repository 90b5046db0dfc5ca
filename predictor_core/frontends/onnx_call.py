"""What the conversion of one ONNX node reads (Call) and gives (Step)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Union

from predictor_core.errors import GraphError
from predictor_core.frontends.onnx_values import Array, NotInferableError, Value, as_ints
from predictor_core.ir.graph import Shape


class Step(NamedTuple):
    """A Node in the making: canonical op, what it reads, attributes and output shapes, channels first.

    Where an op becomes several Steps, a number among the reads stands for the output of that Step.
    """

    op: str
    reads: tuple[Value | int, ...]
    attrs: Mapping[str, Any]
    outputs: tuple[Shape, ...]


class Call(NamedTuple):
    """One ONNX node with its inputs known."""

    name: str
    op: str
    attrs: Mapping[str, Any]
    inputs: Sequence[Value | None]
    outputs: int
    opset: int

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int) -> Value:
        """Return an input that must be there."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise GraphError(f"node {self.name!r} ({self.op}) lacks its input {index}")
        return value

    def shape(self, index: int) -> Shape:
        """Return the shape of an input that must be there."""
        return self.value(index).shape

    def array(self, index: int) -> Array:
        """Return the numbers of a constant input."""
        array = self.value(index).array
        if array is None:
            raise NotInferableError(f"its input {index} is not a known constant")
        return array

    def ints(self, index: int) -> tuple[int, ...]:
        """Return the integers of a constant input."""
        return as_ints(self.array(index))

    def ints_of(self, attribute: str, index: int) -> tuple[int, ...] | None:
        """Return integers that are an input in newer opsets and an attribute in older ones, if given."""
        if self.has(index):
            return self.ints(index)
        return tuple(self.attrs[attribute]) if attribute in self.attrs else None

    def axis(self, default: int, rank: int) -> int:
        """Return the attribute ``axis``, counted from the front."""
        return self.checked_axis(self.attrs.get("axis", default), rank)

    def checked_axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front, or refuse it."""
        if not -rank <= axis < rank:
            raise self.error(f"axis {axis} is outside a tensor of {rank} dimensions")
        return axis % rank

    def step(self, op: str, output: Shape, *reads: int, **attrs: Any) -> Step:
        """Return a Step with one output that reads the given inputs (default: the first)."""
        return Step(op, tuple([self.value(index) for index in reads or (0,)]), attrs, (output,))

    def error(self, message: str) -> GraphError:
        """Return the error for a node that contradicts itself."""
        return GraphError(f"node {self.name!r} ({self.op}): {message}")


Handler = Callable[[Call], Union[Step, "list[Step]"]]


def same_shape(op: str) -> Handler:
    """Return the handler of an op with one output that has the shape of its first input."""
    return lambda call: call.step(op, call.shape(0))
