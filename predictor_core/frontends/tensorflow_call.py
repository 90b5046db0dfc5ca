"""What the conversion of one TensorFlow node reads (Call) and gives (Step)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Union

from predictor_core.errors import GraphError
from predictor_core.frontends.onnx_values import Array, NotInferableError, Value, as_ints
from predictor_core.frontends.tensorflow_wire import NodeDef
from predictor_core.ir.graph import Shape

#: Most outputs of one node.
MAX_PARTS = 4096


class Step(NamedTuple):
    """A Node in the making: canonical op, what it reads, attributes and output shapes.

    Where an op becomes several Steps, a number among the reads stands for the result of that Step.
    """

    op: str
    reads: Sequence[Value | int]
    attrs: Mapping[str, Any]
    outputs: tuple[Shape, ...]


class Call(NamedTuple):
    """One TensorFlow node with its inputs known."""

    node: NodeDef
    inputs: Sequence[Value]

    @property
    def channels_first(self) -> bool:
        """Whether the node has its images in ``NCHW``."""
        return self.node.string("data_format").startswith("NC")

    def value(self, index: int = 0) -> Value:
        """Return an input; a negative index counts from the end."""
        if not -len(self.inputs) <= index < len(self.inputs):
            raise self.error(f"lacks its input {index}")
        return self.inputs[index]

    def shape(self, index: int = 0) -> Shape:
        """Return the shape of an input."""
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

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front, or refuse it."""
        if not -rank <= axis < rank:
            raise self.error(f"axis {axis} is outside a tensor of {rank} dimensions")
        return axis % rank

    def image(self, index: int = 0) -> Shape:
        """Return the shape of an input as (N, H, W, C), whatever order the node has it in."""
        shape = self.shape(index)
        if len(shape) != 4:
            raise self.error(f"takes an image of 4 dimensions, got {list(shape)}")
        return (shape[0], shape[2], shape[3], shape[1]) if self.channels_first else shape

    def ordered(self, shape: Shape) -> Shape:
        """Return an (N, H, W, C) shape in the order that the node has."""
        return (shape[0], shape[3], shape[1], shape[2]) if self.channels_first else shape

    def pair(self, key: str) -> tuple[int, int]:
        """Return height and width of an attribute that lists four numbers; 1 where it is absent."""
        values = self.node.integers(key)
        if not values:
            return 1, 1
        if len(values) != 4:
            raise self.error(f"{key} has {len(values)} numbers, expected 4")
        return (values[2], values[3]) if self.channels_first else (values[1], values[2])

    def padding(self) -> str | tuple[int, ...]:
        """Return ``SAME``, ``VALID``, or the explicit pads (top, left, bottom, right)."""
        padding = self.node.string("padding", "VALID")
        if padding != "EXPLICIT":
            return padding
        pads = self.node.integers("explicit_paddings")
        if len(pads) != 8:
            raise self.error(f"explicit_paddings has {len(pads)} numbers, expected 8")
        first = 4 if self.channels_first else 2
        return pads[first], pads[first + 2], pads[first + 1], pads[first + 3]

    def step(self, op: str, output: Shape, *reads: int, **attrs: object) -> Step:
        """Return a Step with one output that reads the given inputs (default: the first)."""
        return Step(op, tuple([self.value(index) for index in reads or (0,)]), attrs, (output,))

    def error(self, message: str) -> GraphError:
        """Return the error for a node that contradicts itself."""
        return GraphError(f"node {self.node.name!r} ({self.node.op}): {message}")


Handler = Callable[[Call], Union[Step, "list[Step]"]]
