"""The wire format of protobuf, as far as both ONNX and TensorFlow files need it."""

from __future__ import annotations

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.file import Buffer

#: Wire types: a number of variable length, 8 bytes, a length with as many bytes, 4 bytes.
VARINT, FIXED64, SPAN, FIXED32 = 0, 1, 2, 5


class BrokenWireError(ModelFormatError):
    """The bytes are not a sequence of protobuf fields."""


def varint(data: Buffer, position: int, end: int) -> tuple[int, int]:
    """Read a number of variable length; return it and the position behind it.

    Raises
    ------
    BrokenWireError
        When it has no end.
    """
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        if byte < 0x80:
            return value | byte << shift, position
        value |= (byte & 0x7F) << shift
        shift += 7
    raise BrokenWireError(f"the number before byte {position} has no end: the file is truncated or damaged")
