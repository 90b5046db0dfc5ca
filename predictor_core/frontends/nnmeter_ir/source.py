"""What a node of an nn-Meter IR document states, and helpers that read the many ways to write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.ir.graph import Shape
from predictor_core.ir.named import maker
from predictor_core.ir.shapes import Shapes

#: Shape and value of a constant: a number for a scalar, a list of numbers, or None where it is not stated.
Constant = tuple[Shape, Any]

#: (op, attributes, output shapes) of the Node that a document's node becomes.
Converted = tuple[str, Mapping[str, Any], Shapes]


class Source(NamedTuple):
    """One node of a document, as its converter sees it.

    Parameters
    ----------
    type : str
        The type as written.
    attrs : mapping
        The inner attributes.
    inputs : tuple of shapes
        Inferred shapes of the activations read, channels first where `channels_first`.
    stated : object
        The document's ``output_shape``, not yet checked.
    constants : sequence of Constant
        Constants read, in order.
    constant_first : bool
        Whether a constant comes before the first activation.
    channels_first : bool
        Whether the document is that of an ONNX model: it states axes in channels-first order, and yet the
        shapes of all tensors of rank 4 as if they were channels-last images.
    """

    type: str
    attrs: Mapping[str, Any]
    inputs: Shapes
    stated: Any
    constants: Sequence[Constant]
    constant_first: bool
    channels_first: bool

    def first(self, *names: str) -> Any:
        """Value of the first attribute that is present, or None."""
        attrs = self.attrs
        for name in names:
            value = attrs.get(name)
            if value is not None:
                return value
        return None

    def stated_shapes(self) -> Shapes:
        """Output shapes that the document states, an open batch replaced by that of the input."""
        if not isinstance(self.stated, Sequence) or not self.stated:
            raise ModelFormatError("it has no output_shape, and none can be inferred")
        batch = self.inputs[0][0] if self.inputs and self.inputs[0] else 1
        found = []
        for shape in self.stated:
            dims = tuple(shape)
            if dims and (dims[0] is None or dims[0] in (-1, 0)):
                dims = (batch, *dims[1:])
            found.append(channels_to_front(dims) if self.channels_first else dims)
        return tuple(found)

    def stated_channels(self) -> int | None:
        """Channels of the first stated output, an image, where the document states it."""
        try:
            shape = self.stated[0]
            channels = shape[1 if self.channels_first and len(shape) == 3 else -1]
        except (TypeError, IndexError, KeyError):
            return None
        return channels if isinstance(channels, int) else None

    def image(self) -> Shape | None:
        """Shape of the first input as (N, H, W, C), or None where it is no image."""
        shape = self.inputs[0]
        if len(shape) == 4:
            return (shape[0], shape[2], shape[3], shape[1]) if self.channels_first else shape
        if len(shape) == 3 and self.channels_first:
            return shape[0], shape[2], 1, shape[1]
        return None

    def ordered(self, shape: Shape) -> Shape:
        """Return an (N, H, W, C) shape in the order and rank that the first input has."""
        if not self.channels_first:
            return shape
        batch, height, width, channels = shape
        return (batch, channels, height, width)[: len(self.inputs[0])]

    def window(self) -> str | tuple[int, ...]:
        """Return ``SAME``, ``SAME_LOWER``, ``VALID``, or four explicit pads (top, left, bottom, right)."""
        padding = padding_of(self.attrs)
        if isinstance(padding, str) or len(self.inputs[0]) != 3:
            return padding
        return padding[0], 0, padding[1], 0


make_source = maker(Source)


def channels_to_front(shape: Shape) -> Shape:
    """Return a shape of rank 4 as ONNX has it, where a document states it as a channels-last image."""
    return (shape[0], shape[3], shape[1], shape[2]) if len(shape) == 4 else shape


def checked_axis(axis: int, rank: int) -> int:
    """Return an axis counted from the front, or refuse it."""
    if not -rank <= axis < rank:
        raise GraphError(f"axis {axis} is outside of rank {rank}")
    return axis % rank


def pair(value: Any) -> tuple[int, int]:
    """Height and width of a number, a pair, or a list over all four dimensions."""
    if isinstance(value, int):
        return value, value
    count = len(value)
    if count == 2:
        first, second = value
        return first, second
    if count == 4:
        return value[1], value[2]
    if count == 1:
        return value[0], 1
    raise ModelFormatError(f"expected a number or 1, 2 or 4 of them, got {value!r}")


def flat_ints(value: Any) -> list[int]:
    """Ints of an attribute that is written as a number or as a list."""
    return [value] if isinstance(value, int) else [int(item) for item in value]


#: Paddings that follow from the sizes, by the names that documents give them.
_PADDINGS = {"SAME": "SAME", "SAME_UPPER": "SAME", "SAME_LOWER": "SAME_LOWER", "VALID": "VALID"}


def padding_of(attrs: Mapping[str, Any]) -> str | tuple[int, ...]:
    """Return ``SAME``, ``SAME_LOWER``, ``VALID``, or four explicit pads (top, left, bottom, right)."""
    padding = attrs.get("padding")
    if padding is None:
        padding = attrs.get("auto_pad")
    if isinstance(padding, str):
        name = _PADDINGS.get(padding)
        if name is not None:
            return name
        name = padding.strip("b'\"").upper()
        if name in _PADDINGS:
            return _PADDINGS[name]
        if name not in ("EXPLICIT", "NOTSET"):
            raise ModelFormatError(f"unknown padding {padding!r}; expected SAME, VALID or EXPLICIT")
        padding = None
    explicit = attrs.get("explicit_paddings")
    if explicit and len(explicit) == 8:
        return explicit[2], explicit[4], explicit[3], explicit[5]
    pads = attrs.get("pads") if padding is None else padding
    if pads is None:
        return 0, 0, 0, 0
    if isinstance(pads, int):
        return pads, pads, pads, pads
    if len(pads) == 4:
        return tuple(pads)
    if len(pads) == 2:
        return pads[0], pads[1], pads[0], pads[1]
    if len(pads) == 1:
        return pads[0], 0, pads[0], 0
    raise ModelFormatError(f"expected 4 pads (top, left, bottom, right), got {pads!r}")
