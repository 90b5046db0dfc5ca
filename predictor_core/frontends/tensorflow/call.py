"""One TensorFlow node with its inputs known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Union

from predictor_core.frontends.common.call import BaseCall, Step
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.tensorflow.messages import NodeDef
from predictor_core.ir.graph import Shape

__all__ = ["MAX_PARTS", "Call", "Handler", "Step"]

#: Most outputs of one node.
MAX_PARTS = 4096


class Call(BaseCall):
    """One TensorFlow node.

    Parameters
    ----------
    node : NodeDef
        The node with its attributes.
    inputs : sequence of Value
        What it reads; nothing is left out.
    """

    __slots__ = ("node",)
    inputs: Sequence[Value]

    def __init__(self, node: NodeDef, inputs: Sequence[Value]) -> None:
        super().__init__(node.name, node.op, inputs)
        self.node = node

    @property
    def channels_first(self) -> bool:
        """Whether the node has its images in ``NCHW``."""
        return self.node.string("data_format").startswith("NC")

    def image(self, index: int = 0, dims: int = 2) -> Shape:
        """Return the shape of an input, `dims` dimensions in space, as (N, H, W, C) or (N, D, H, W, C)."""
        shape = self.shape(index)
        if len(shape) != dims + 2:
            kind = "an image" if dims == 2 else "a volume"
            raise self.error(f"takes {kind} of {dims + 2} dimensions, got {list(shape)}")
        return (shape[0], *shape[2:], shape[1]) if self.channels_first else shape

    def ordered(self, shape: Shape) -> Shape:
        """Return a shape with the channels last in the order that the node has."""
        return (shape[0], shape[-1], *shape[1:-1]) if self.channels_first else shape

    def sizes(self, key: str, dims: int) -> tuple[int, ...]:
        """Numbers for the dimensions in space of an attribute that has one for all; 1 where it is absent."""
        values = self.node.integers(key) or [1] * (dims + 2)
        if len(values) != dims + 2:
            raise self.error(f"{key} has {len(values)} numbers, expected {dims + 2}")
        return tuple(values[2:] if self.channels_first else values[1:-1])

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


Handler = Callable[[Call], Union[Step, "list[Step]"]]
