"""Protobuf messages without the payloads of large tensors, for ONNX and TensorFlow files.

A model file is protobuf: nested fields of a tag, a length and a payload. `without_payloads` walks the fields
and leaves out the payloads of large tensors, whose dimensions stand in other fields. What remains is parsed
by the package protobuf, so that the cost follows the number of nodes and not the number of weights.
"""

from __future__ import annotations

from typing import Any

from predictor_core.budget import meter
from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.file import Buffer

#: Wire types: a number of variable length, 8 bytes, a length with as many bytes, 4 bytes.
_VARINT, _FIXED64, _SPAN, _FIXED32 = 0, 1, 2, 5
_WIRES = frozenset({_VARINT, _FIXED64, _SPAN, _FIXED32})

#: Most bytes of a tag and the number behind it, and of a block of the file in which they are looked for.
_HEAD_BYTES, _BLOCK_BYTES = 20, 2**12

#: Messages inside of messages.
MAX_NESTED = 96

#: Field number -> the fields of the message that it holds, or None for a payload to leave out.
Fields = dict[int, Any]


class BrokenWireError(ModelFormatError):
    """The bytes are not a sequence of protobuf fields."""


def without_payloads(data: Buffer, fields: Fields, kept_bytes: int) -> bytes:
    """Return a serialised message without payloads of more than some bytes.

    Parameters
    ----------
    data : bytes or FileBytes
        The message.
    fields : mapping
        Those of its fields that may hold payloads; see `Fields`.
    kept_bytes : int
        Payloads up to this size stay.

    Raises
    ------
    BrokenWireError
        When the bytes are no message, or one that is nested too deep.
    """
    block = data if isinstance(data, bytes) else b""
    return b"".join(_kept(data, 0, len(data), fields, kept_bytes, 0, block, 0))


def parse(message: Any, content: bytes) -> Any:
    """Parse a message within the budget of the reading.

    Parameters
    ----------
    message : type
        Class of the message.
    content : bytes
        What `without_payloads` has left.

    Raises
    ------
    BrokenWireError
        When the bytes are no such message.
    """
    from google.protobuf.message import DecodeError

    spent = meter()
    spent.allow_for(len(content))
    # Messages take several times the room of their bytes.
    spent.spend(memory_bytes=4 * len(content))
    try:
        return message.FromString(content)
    except (DecodeError, UnicodeError) as error:
        raise BrokenWireError(f"it can't be parsed as protobuf ({error})") from None


def _kept(
    data: Buffer,
    start: int,
    end: int,
    fields: Fields,
    kept_bytes: int,
    depth: int,
    block: bytes,
    base: int,
) -> list[bytes]:
    """Return the parts of the message in ``data[start:end]`` that stay.

    Heads of fields are read from a block of the data, the first byte of which stands at `base`.
    """
    if depth > MAX_NESTED:
        raise BrokenWireError(f"messages are nested more than {MAX_NESTED} deep")
    parts: list[bytes] = []
    copied = position = start
    spent = meter()
    while position < end:
        spent.look()
        at = position - base
        if at + _HEAD_BYTES > len(block) < end - base:
            block, base, at = data[position : min(position + _BLOCK_BYTES, end)], position, 0
        last = end - base
        limit = min(len(block), last)
        stop = min(at + _BLOCK_BYTES, limit if limit == last else limit - _HEAD_BYTES + 1)
        while at < stop:
            field = at
            # Most numbers have one byte.
            tag, at = block[at], at + 1
            if tag >= 0x80:
                tag, at = _varint(block, field, limit)
            wire = tag & 7
            if tag < 8 or wire not in _WIRES:
                raise BrokenWireError(f"byte {base + field} starts no protobuf field")
            if wire == _SPAN:
                length, head = block[at] if at < limit else 0x80, at + 1
                if length >= 0x80:
                    length, head = _varint(block, at, limit)
                at = head + length
                if length > kept_bytes and tag >> 3 in fields and at <= last:
                    at_hand = copied >= base
                    parts.append(block[copied - base : field] if at_hand else data[copied : base + field])
                    copied = base + at
                    inner = fields[tag >> 3]
                    if inner is not None:
                        kept = _kept(data, base + head, copied, inner, kept_bytes, depth + 1, block, base)
                        parts.append(_as_varint(tag) + _as_varint(sum(map(len, kept))))
                        parts.extend(kept)
            elif wire == _VARINT:
                at = at + 1 if at < limit and block[at] < 0x80 else _varint(block, at, limit)[1]
            else:
                at += 8 if wire == _FIXED64 else 4
        if at > last:
            what = f"a field of {length} bytes" if wire == _SPAN else "a number"
            raise BrokenWireError(f"{what} at byte {base + field} runs over the end")
        position = base + at
    if copied < end:
        parts.append(data[copied:end])
    return parts


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read a number of variable length; return it and the position behind it."""
    if position < end and data[position] < 0x80:
        return data[position], position + 1
    if position + 1 < end and data[position + 1] < 0x80:
        return data[position] & 0x7F | data[position + 1] << 7, position + 2
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        if byte < 0x80:
            return value | byte << shift, position
        value |= (byte & 0x7F) << shift
        shift += 7
    raise BrokenWireError(f"the number before byte {position} has no end: the file is truncated or damaged")


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
