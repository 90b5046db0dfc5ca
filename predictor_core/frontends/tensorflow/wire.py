"""The few protobuf messages of TensorFlow models that matter here, read straight from the wire format.

Nothing is copied before it is asked for: a message is a span of the file, and the bytes of weights are never
read. Field numbers are those of TensorFlow's ``graph.proto``, ``node_def.proto``, ``attr_value.proto``,
``tensor.proto``, ``tensor_shape.proto``, ``function.proto``, ``op_def.proto``, ``saved_model.proto`` and
``meta_graph.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.file import Buffer
from predictor_core.frontends.common.protobuf import FIXED32, FIXED64, SPAN, VARINT, varint

#: A message or string: where it starts and ends in the buffer.
Span = tuple[int, int]

#: TensorFlow's numbers of the types whose values are read.
DTYPES = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "<u1",
    5: "<i2",
    6: "<i1",
    9: "<i8",
    10: "<b1",
    17: "<u2",
    22: "<u4",
    23: "<u8",
}
_FLOATS = frozenset({1, 2})
BOOL = 10

#: Constants with more elements, and float ones with more than one, are weights, whose values are never read.
MAX_VALUES = 4096


def fields(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int, Union[int, Span]]]:  # noqa: UP007
    """Yield (field number, wire type, value) of a message; the value is an int or a `Span`.

    Raises
    ------
    ModelFormatError
        When the bytes are no protobuf message.
    """
    position = start
    while position < end:
        tag, position = varint(data, position, end)
        number, kind = tag >> 3, tag & 7
        if kind == SPAN:
            length, position = varint(data, position, end)
            value: int | Span = (position, position + length)
            position += length
        elif kind == VARINT:
            value, position = varint(data, position, end)
        elif kind in (FIXED32, FIXED64):
            value = position
            position += 4 if kind == FIXED32 else 8
        else:
            raise ModelFormatError(f"byte {position} is of no protobuf message")
        if position > end or number == 0:
            raise ModelFormatError(f"the message that starts at byte {start} is truncated or damaged")
        yield number, kind, value


def signed(value: int) -> int:
    """Return the int64 that a varint stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value


def text(data: Buffer, span: Span) -> str:
    """Return a string field."""
    try:
        return str(data[span[0] : span[1]], "utf-8")
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"the name at byte {span[0]} is no text: the file is damaged") from error


def spans(data: Buffer, span: Span, number: int) -> Iterator[Span]:
    """Yield the occurrences of one message or string field."""
    for found, kind, value in fields(data, *span):
        if found == number and kind == SPAN and isinstance(value, tuple):
            yield value


def entries(data: Buffer, span: Span, number: int) -> Iterator[tuple[str, Span]]:
    """Yield (key, value) of a map field from strings to messages or strings."""
    for entry in spans(data, span, number):
        key, value = "", (entry[1], entry[1])
        for found, kind, inner in fields(data, *entry):
            if kind == SPAN and isinstance(inner, tuple):
                if found == 1:
                    key = text(data, inner)
                elif found == 2:
                    value = inner
        yield key, value


class NodeDef:
    """One node: ``name``, ``op``, ``inputs`` as written, and attributes that are read when asked for."""

    __slots__ = ("_attrs", "_data", "inputs", "name", "op")

    def __init__(self, data: Buffer, span: Span) -> None:
        self._data = data
        self._attrs: list[Span] | dict[str, Span] = []
        self.name = self.op = ""
        self.inputs: list[str] = []
        position, end = span
        attrs: list[Span] = []
        while position < end:
            # The same as `fields`, unrolled: large models have many thousand nodes.
            tag = data[position]
            position += 1
            if tag & 7 != SPAN or tag >= 128:
                position -= 1
                number, _, value = next(fields(data, position, end))
                raise ModelFormatError(f"a node has the field {number}, which no node has: {value}")
            length = data[position] if position < end else 0
            position += 1
            if length >= 128:
                length, position = varint(data, position - 1, end)
            stop = position + length
            if stop > end:
                raise ModelFormatError(f"the node that starts at byte {span[0]} is truncated or damaged")
            if tag == 0x2A:
                attrs.append((position, stop))
            elif tag == 0x1A:
                self.inputs.append(text(data, (position, stop)))
            elif tag == 0x0A:
                self.name = text(data, (position, stop))
            elif tag == 0x12:
                self.op = text(data, (position, stop))
            position = stop
        if not (self.name.isprintable() and self.op.isprintable()):
            raise ModelFormatError(f"the node at byte {span[0]} is called {self.name!r}: the file is damaged")
        self._attrs = attrs

    def _span(self, key: str) -> Span | None:
        if isinstance(self._attrs, list):
            found = {}
            for entry in self._attrs:
                name, value = "", (entry[1], entry[1])
                for number, _, inner in fields(self._data, *entry):
                    if isinstance(inner, tuple):
                        if number == 1:
                            name = text(self._data, inner)
                        else:
                            value = inner
                found[name] = value
            self._attrs = found
        return self._attrs.get(key)

    def _value(self, key: str, number: int) -> Any:
        span = self._span(key)
        if span is not None:
            for found, _, value in fields(self._data, *span):
                if found == number:
                    return value
        return None

    def string(self, key: str, default: str = "") -> str:
        """Return a string attribute."""
        value = self._value(key, 2)
        return default if value is None else text(self._data, value)

    def integer(self, key: str, default: int = 0) -> int:
        """Return an int attribute."""
        value = self._value(key, 3)
        return default if value is None else signed(value)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return a bool attribute."""
        value = self._value(key, 5)
        return default if value is None else bool(value)

    def type(self, key: str = "dtype") -> int:
        """Return TensorFlow's number of a type attribute; 0 where it is absent."""
        value = self._value(key, 6)
        return 0 if value is None else int(value)

    def function(self, key: str = "f") -> str:
        """Return the name of a function attribute."""
        span = self._value(key, 10)
        names = [] if span is None else [text(self._data, name) for name in spans(self._data, span, 1)]
        return names[0] if names else ""

    def functions(self, key: str) -> list[str]:
        """Return the names of an attribute that lists functions."""
        span = self._value(key, 1)
        found = []
        for inner in () if span is None else spans(self._data, span, 9):
            found += [text(self._data, name) for name in spans(self._data, inner, 1)]
        return found

    def integers(self, key: str) -> tuple[int, ...]:
        """Return an attribute that lists ints; empty where it is absent."""
        span = self._value(key, 1)
        found: list[int] = []
        for number, kind, value in () if span is None else fields(self._data, *span):
            if number != 3:
                continue
            if isinstance(value, int):
                found.append(signed(value))
            elif kind == SPAN:
                found += packed(self._data, value)
        return tuple(found)

    def shape(self, key: str = "shape") -> tuple[int, ...] | None:
        """Return a shape attribute, -1 for an open dimension; None where the rank is not known."""
        span = self._value(key, 7)
        return None if span is None else read_shape(self._data, span)

    def shapes(self, key: str) -> list[tuple[int, ...] | None]:
        """Return an attribute that lists shapes."""
        span = self._value(key, 1)
        return [] if span is None else [read_shape(self._data, inner) for inner in spans(self._data, span, 7)]

    def tensor(self, key: str = "value") -> TensorDef:
        """Return a tensor attribute.

        Raises
        ------
        ModelFormatError
            When the node has none.
        """
        span = self._value(key, 8)
        if span is None:
            raise ModelFormatError(f"node {self.name!r} ({self.op}) has no {key!r}")
        return TensorDef(self._data, span)


def packed(data: Buffer, span: Span) -> list[int]:
    """Return the ints of a packed field."""
    found = []
    position, end = span
    while position < end:
        value, position = varint(data, position, end)
        found.append(signed(value))
    return found


def read_shape(data: Buffer, span: Span) -> tuple[int, ...] | None:
    """Return a shape message, -1 for an open dimension; None where the rank is not known."""
    dims = []
    for number, _, value in fields(data, *span):
        if number == 3 and value:
            return None
        if number == 2 and isinstance(value, tuple):
            size = 0
            for inner, _, dim in fields(data, *value):
                if inner == 1 and isinstance(dim, int):
                    size = signed(dim)
            dims.append(size)
    return tuple(dims)


class TensorDef:
    """A constant tensor: its shape, and its values where they are few."""

    __slots__ = ("_data", "_parts", "dtype", "shape")

    def __init__(self, data: Buffer, span: Span) -> None:
        self._data = data
        self.dtype = 0
        self.shape: tuple[int, ...] = ()
        self._parts: list[tuple[int, int, int | Span]] = []
        for number, kind, value in fields(data, *span):
            if number == 1 and isinstance(value, int):
                self.dtype = value
            elif number == 2 and isinstance(value, tuple):
                shape = read_shape(data, value)
                if shape is None or (shape and min(shape) < 0):
                    raise ModelFormatError(f"the constant at byte {span[0]} has no shape")
                self.shape = shape
            else:
                self._parts.append((number, kind, value))

    def values(self) -> NDArray[Any] | None:
        """Return the values; None where they are many, or of a type that no shape is computed from."""
        count = 1
        for dim in self.shape:
            count *= dim
        dtype = DTYPES.get(self.dtype)
        if dtype is None or count > (1 if self.dtype in _FLOATS else MAX_VALUES):
            return None
        data = self._data
        found: list[Any] = []
        for number, kind, value in self._parts:
            if number == 4 and isinstance(value, tuple):
                raw = np.frombuffer(bytes(data[value[0] : value[1]]), dtype=np.uint8)
                if raw.size != count * np.dtype(dtype).itemsize:
                    raise ModelFormatError(f"the constant at byte {value[0]} is truncated or damaged")
                return raw.view(dtype).reshape(self.shape)
            if number in (5, 6):
                if kind not in (SPAN, FIXED32 if number == 5 else FIXED64):
                    raise ModelFormatError("a constant has numbers of another type than it says")
                code, size = ("<f", 4) if number == 5 else ("<d", 8)
                start, end = value if isinstance(value, tuple) else (value, value + size)
                for position in range(start, end - size + 1, size):
                    found.append(struct.unpack(code, data[position : position + size])[0])
            elif number in (7, 10, 11, 16, 17):
                found += packed(data, value) if isinstance(value, tuple) else [signed(value)]
        if len(found) > count:
            raise ModelFormatError(f"a constant of shape {list(self.shape)} has {len(found)} values")
        if count and not found:
            found = [0]
        array = np.empty(count, dtype=np.dtype(dtype))
        array[: len(found)] = found
        # A shorter list stands for a tensor that ends in copies of its last value.
        array[len(found) :] = found[-1] if found else 0
        return array.reshape(self.shape)


class Nodes(Mapping[str, NodeDef]):
    """Nodes by name, each read when it is asked for."""

    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._spans: dict[str, Span] = {}
        self._read: dict[str, NodeDef] = {}

    def add(self, span: Span) -> None:
        """Note where a node is, and its name."""
        name = _first_name(self._data, span)
        if not name:
            raise ModelFormatError(f"the node at byte {span[0]} has no name")
        self._spans[name] = span

    def __getitem__(self, name: str) -> NodeDef:
        node = self._read.get(name)
        if node is None:
            node = self._read[name] = NodeDef(self._data, self._spans[name])
        return node

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __contains__(self, name: object) -> bool:
        return name in self._spans


def _first_name(data: Buffer, span: Span) -> str:
    """Return field 1 of a message, which writers put first."""
    start, end = span
    if end - start > 2 and data[start] == 0x0A and data[start + 1] < 128:
        stop = start + 2 + data[start + 1]
        if stop <= end:
            return text(data, (start + 2, stop))
    return next((text(data, name) for name in spans(data, span, 1)), "")


class FunctionDef:
    """A function: argument and result names, and its nodes.

    Attributes
    ----------
    arguments, results : list of str
        Names in order.
    returned : dict
        Result name -> the tensor inside of the function that it is.
    """

    __slots__ = ("arguments", "nodes", "results", "returned")

    def __init__(self, data: Buffer, span: Span) -> None:
        self.nodes = Nodes(data)
        self.arguments: list[str] = []
        self.results: list[str] = []
        for number, _, value in fields(data, *span):
            if not isinstance(value, tuple):
                continue
            if number == 3:
                self.nodes.add(value)
            elif number == 1:
                for inner, _, part in fields(data, *value):
                    if isinstance(part, tuple) and inner in (2, 3):
                        names = self.arguments if inner == 2 else self.results
                        names.append(_first_name(data, part))
        self.returned = {key: text(data, value) for key, value in entries(data, span, 4)}


class GraphDef:
    """A graph: its nodes by name, and its functions."""

    __slots__ = ("_data", "_functions", "_read", "nodes")

    def __init__(self, data: Buffer, span: Span) -> None:
        self._data = data
        self.nodes = Nodes(data)
        self._functions: dict[str, Span] = {}
        self._read: dict[str, FunctionDef] = {}
        for number, _, value in fields(data, *span):
            if number == 1 and isinstance(value, tuple):
                self.nodes.add(value)
            elif number == 2 and isinstance(value, tuple):
                for inner in spans(data, value, 1):
                    signature = next(spans(data, inner, 1), None)
                    if signature is not None:
                        self._functions[_first_name(data, signature)] = inner

    def function(self, name: str) -> FunctionDef | None:
        """Return a function by name, or None where the graph has none of that name."""
        found = self._read.get(name)
        if found is None and name in self._functions:
            found = self._read[name] = FunctionDef(self._data, self._functions[name])
        return found


class Signature:
    """What a saved model takes and gives: tensor names of its inputs and outputs."""

    __slots__ = ("inputs", "outputs")

    def __init__(self, data: Buffer, span: Span) -> None:
        self.inputs = [_tensor_name(data, info) for _, info in entries(data, span, 1)]
        self.outputs = [_tensor_name(data, info) for _, info in sorted(entries(data, span, 2))]


def _tensor_name(data: Buffer, info: Span) -> str:
    names = [text(data, name) for name in spans(data, info, 1)]
    return names[0] if names else ""


def saved_model(data: Buffer, size: int) -> list[tuple[set[str], Span, dict[str, Signature]]]:
    """Return (tags, span of the graph, signatures) of each meta graph of a saved model."""
    found = []
    for meta in spans(data, (0, size), 2):
        tags = {text(data, tag) for info in spans(data, meta, 1) for tag in spans(data, info, 4)}
        graphs = list(spans(data, meta, 2))
        signatures = {key: Signature(data, value) for key, value in entries(data, meta, 5)}
        if graphs:
            found.append((tags, graphs[0], signatures))
    return found
