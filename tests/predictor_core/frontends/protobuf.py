"""Just enough of the protobuf wire format to write small TensorFlow graphs in tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def shape(dims: Sequence[int] | None) -> bytes:
    if dims is None:
        return field(3, 1)
    return b"".join(field(2, field(1, dim)) for dim in dims)


def tensor(dims: Sequence[int], values: Sequence[float], dtype: int = 3) -> bytes:
    if dtype == 1:
        data = field(5, struct.pack(f"<{len(values)}f", *values))
    else:
        data = field(11 if dtype == 10 else 7, b"".join(varint(int(value)) for value in values))
    return field(1, dtype) + field(2, shape(dims)) + data


def attribute(value: Any) -> bytes:
    """Encode an AttrValue: str, bool, int, list of ints, or (kind, message) for anything else."""
    if isinstance(value, str):
        return field(2, value)
    if isinstance(value, bool):
        return field(5, int(value))
    if isinstance(value, int):
        return field(3, value)
    if isinstance(value, list):
        return field(1, b"".join(field(3, item) for item in value))
    number, message = value
    return field(number, message)


def node(name: str, op: str, inputs: Sequence[str] = (), **attrs: Any) -> bytes:
    out = field(1, name) + field(2, op) + b"".join(field(3, source) for source in inputs)
    for key, value in attrs.items():
        out += field(5, field(1, key) + field(2, attribute(value)))
    return out


def placeholder(name: str, dims: Sequence[int] | None, dtype: int = 1) -> bytes:
    return node(name, "Placeholder", dtype=(6, dtype), shape=(7, shape(dims)))


def const(name: str, dims: Sequence[int], values: Sequence[float] = (0,), dtype: int = 3) -> bytes:
    return node(name, "Const", dtype=(6, dtype), value=(8, tensor(dims, values, dtype)))


def graph(*nodes: bytes, functions: Sequence[bytes] = ()) -> bytes:
    library = field(2, b"".join(field(1, function) for function in functions)) if functions else b""
    return b"".join(field(1, item) for item in nodes) + library


def function(name: str, arguments: Sequence[str], returned: dict[str, str], *nodes: bytes) -> bytes:
    signature = field(1, name) + b"".join(field(2, field(1, argument)) for argument in arguments)
    signature += b"".join(field(3, field(1, result)) for result in returned)
    out = field(1, signature) + b"".join(field(3, item) for item in nodes)
    return out + b"".join(field(4, field(1, key) + field(2, value)) for key, value in returned.items())
