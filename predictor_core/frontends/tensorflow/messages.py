"""The few protobuf messages of TensorFlow models that matter here.

The package protobuf reads them by a descriptor that is made here and names no more fields than are used; all
others are skipped. The payloads of weights are left out before. Names and numbers of the fields are those of
TensorFlow's ``graph.proto``, ``node_def.proto``, ``attr_value.proto``, ``tensor.proto``,
``tensor_shape.proto``, ``function.proto``, ``op_def.proto``, ``saved_model.proto`` and ``meta_graph.proto``.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import ModelFormatError, missing_dependency
from predictor_core.frontends.common import protobuf
from predictor_core.frontends.common.file import Buffer

#: TensorFlow's numbers of the types whose values are read: how numpy calls them, and the field of the values.
_DTYPES = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    4: ("<u1", "int_val"),
    5: ("<i2", "int_val"),
    6: ("<i1", "int_val"),
    9: ("<i8", "int64_val"),
    10: ("<b1", "bool_val"),
    17: ("<u2", "int_val"),
    22: ("<u4", "uint32_val"),
    23: ("<u8", "uint64_val"),
}
DTYPES = {number: name for number, (name, _) in _DTYPES.items()}
_FLOATS = frozenset({1, 2})
BOOL = 10

#: Constants with more elements, and float ones with more than one, are weights, whose values are never read.
MAX_VALUES = 4096

#: Message -> (field, its number, its type); a star stands for any number of them, ``|`` for one of several
#: that exclude each other. A map is, on the wire, any number of entries.
_MESSAGES = {
    "Dim": (("size", 1, "int64"),),
    "Shape": (("dim", 2, "Dim*"), ("unknown_rank", 3, "bool")),
    "Tensor": (
        ("dtype", 1, "int32"),
        ("tensor_shape", 2, "Shape"),
        ("tensor_content", 4, "bytes"),
        ("float_val", 5, "float*"),
        ("double_val", 6, "double*"),
        ("int_val", 7, "int32*"),
        ("int64_val", 10, "int64*"),
        ("bool_val", 11, "bool*"),
        ("uint32_val", 16, "uint32*"),
        ("uint64_val", 17, "uint64*"),
    ),
    "Function": (("name", 1, "string"),),
    "List": (("i", 3, "int64*"), ("shape", 7, "Shape*"), ("func", 9, "Function*")),
    "Attr": (
        ("list", 1, "List|"),
        ("s", 2, "bytes|"),
        ("i", 3, "int64|"),
        ("b", 5, "bool|"),
        ("type", 6, "int32|"),
        ("shape", 7, "Shape|"),
        ("tensor", 8, "Tensor|"),
        ("func", 10, "Function|"),
    ),
    "AttrEntry": (("key", 1, "string"), ("value", 2, "Attr")),
    "Node": (("name", 1, "string"), ("op", 2, "string"), ("input", 3, "string*"), ("attr", 5, "AttrEntry*")),
    "Arg": (("name", 1, "string"),),
    "OpDef": (("name", 1, "string"), ("input_arg", 2, "Arg*"), ("output_arg", 3, "Arg*")),
    "RetEntry": (("key", 1, "string"), ("value", 2, "string")),
    "FunctionDef": (("signature", 1, "OpDef"), ("node_def", 3, "Node*"), ("ret", 4, "RetEntry*")),
    "Library": (("function", 1, "FunctionDef*"),),
    "Graph": (("node", 1, "Node*"), ("library", 2, "Library")),
    "Info": (("tags", 4, "string*"),),
    "TensorInfo": (("name", 1, "string"),),
    "InfoEntry": (("key", 1, "string"), ("value", 2, "TensorInfo")),
    "Signature": (("inputs", 1, "InfoEntry*"), ("outputs", 2, "InfoEntry*")),
    "SignatureEntry": (("key", 1, "string"), ("value", 2, "Signature")),
    "MetaGraph": (
        ("meta_info_def", 1, "Info"),
        ("graph_def", 2, "Graph"),
        ("signature_def", 5, "SignatureEntry*"),
    ),
    "SavedModel": (("saved_model_schema_version", 1, "int64"), ("meta_graphs", 2, "MetaGraph*")),
}

#: Where payloads stand: values of tensors, serialised text, collections, objects.
_KEPT_BYTES = 8 * MAX_VALUES
_TENSOR: protobuf.Fields = dict.fromkeys((4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17))
_ATTR: protobuf.Fields = {1: {2: None, 4: None, 8: _TENSOR}, 2: None, 8: _TENSOR, 9: None}
_NODE: protobuf.Fields = {5: {2: _ATTR}}
_GRAPH: protobuf.Fields = {1: _NODE, 2: {1: {3: _NODE, 5: {2: _ATTR}}, 2: None}}
_SAVED_MODEL: protobuf.Fields = {2: {1: {2: None}, 2: _GRAPH, 3: None, 4: None, 7: None}}


@cache
def _message(name: str) -> Any:
    """Class of a message."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise missing_dependency("protobuf", "tensorflow", "reading TensorFlow models") from None
    field_types = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tensorflow_model.proto", package="m", syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for field_name, number, kind in fields:
            own = kind.rstrip("*|")
            label = field_types.LABEL_REPEATED if kind.endswith("*") else field_types.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, label=label)
            if own in _MESSAGES:
                field.type, field.type_name = field_types.TYPE_MESSAGE, f".m.{own}"
            else:
                field.type = getattr(field_types, f"TYPE_{own.upper()}")
            if kind.endswith("|"):
                if not message.oneof_decl:
                    message.oneof_decl.add(name="value")
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    descriptor = pool.FindMessageTypeByName(f"m.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    # Releases before 4.22.
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


class NodeDef:
    """One node: ``name``, ``op``, ``inputs`` as written, and attributes."""

    __slots__ = ("_attrs", "_message", "inputs", "name", "op")

    def __init__(self, message: Any) -> None:
        self._message = message
        self._attrs: dict[str, Any] | None = None
        self.name: str = message.name
        self.op: str = message.op
        self.inputs: list[str] = list(message.input)
        if not (self.name and self.name.isprintable() and self.op.isprintable()):
            raise ModelFormatError(f"a node is called {self.name!r}: the file is damaged")

    def _value(self, key: str, field: str, default: Any) -> Any:
        if self._attrs is None:
            self._attrs = {entry.key: entry.value for entry in self._message.attr}
        value = self._attrs.get(key)
        return getattr(value, field) if value is not None and value.HasField(field) else default

    def string(self, key: str, default: str = "") -> str:
        """Return a string attribute."""
        value = self._value(key, "s", None)
        if value is None:
            return default
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            raise ModelFormatError(f"attribute {key!r} of node {self.name!r} is no text") from None

    def integer(self, key: str, default: int = 0) -> int:
        """Return an int attribute."""
        return int(self._value(key, "i", default))

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return a bool attribute."""
        return bool(self._value(key, "b", default))

    def type(self, key: str = "dtype") -> int:
        """Return TensorFlow's number of a type attribute; 0 where it is absent."""
        return int(self._value(key, "type", 0))

    def function(self, key: str = "f") -> str:
        """Return the name of a function attribute."""
        found = self._value(key, "func", None)
        return "" if found is None else str(found.name)

    def functions(self, key: str) -> list[str]:
        """Return the names of an attribute that lists functions."""
        found = self._value(key, "list", None)
        return [] if found is None else [function.name for function in found.func]

    def integers(self, key: str) -> tuple[int, ...]:
        """Return an attribute that lists ints; empty where it is absent."""
        found = self._value(key, "list", None)
        return () if found is None else tuple(found.i)

    def shape(self, key: str = "shape") -> tuple[int, ...] | None:
        """Return a shape attribute, -1 for an open dimension; None where the rank is not known."""
        found = self._value(key, "shape", None)
        return None if found is None else _shape(found)

    def shapes(self, key: str) -> list[tuple[int, ...] | None]:
        """Return an attribute that lists shapes."""
        found = self._value(key, "list", None)
        return [] if found is None else [_shape(shape) for shape in found.shape]

    def tensor(self, key: str = "value") -> TensorDef:
        """Return a tensor attribute.

        Raises
        ------
        ModelFormatError
            When the node has none.
        """
        found = self._value(key, "tensor", None)
        if found is None:
            raise ModelFormatError(f"node {self.name!r} ({self.op}) has no {key!r}")
        return TensorDef(found)


def _shape(message: Any) -> tuple[int, ...] | None:
    return None if message.unknown_rank else tuple([dim.size for dim in message.dim])


class TensorDef:
    """A constant tensor: its shape, and its values where they are few."""

    __slots__ = ("_message", "shape")

    def __init__(self, message: Any) -> None:
        self._message = message
        shape = _shape(message.tensor_shape)
        if shape is None or (shape and min(shape) < 0):
            raise ModelFormatError("a constant has no shape")
        self.shape = shape

    def values(self) -> NDArray[Any] | None:
        """Return the values; None where they are many, or of a type that no shape is computed from."""
        count, number = prod(self.shape), self._message.dtype
        if number not in _DTYPES or count > (1 if number in _FLOATS else MAX_VALUES):
            return None
        dtype, field = _DTYPES[number]
        content = self._message.tensor_content
        if content:
            if len(content) != count * np.dtype(dtype).itemsize:
                raise ModelFormatError(f"a constant of shape {list(self.shape)} has {len(content)} bytes")
            return np.frombuffer(content, dtype=dtype).reshape(self.shape)
        found = list(getattr(self._message, field)) or [0]
        if len(found) > max(count, 1):
            raise ModelFormatError(f"a constant of shape {list(self.shape)} has {len(found)} values")
        # A shorter list stands for a tensor that ends in copies of its last value.
        array = np.full(count, found[-1], dtype=dtype)
        array[: len(found)] = found[:count]
        return array.reshape(self.shape)


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

    def __init__(self, message: Any) -> None:
        self.nodes = _nodes(message.node_def)
        self.arguments = [argument.name for argument in message.signature.input_arg]
        self.results = [result.name for result in message.signature.output_arg]
        self.returned = {entry.key: entry.value for entry in message.ret}


class GraphDef:
    """A graph: its nodes by name, and its functions."""

    __slots__ = ("_functions", "_read", "nodes")

    def __init__(self, message: Any) -> None:
        self.nodes = _nodes(message.node)
        self._functions = {function.signature.name: function for function in message.library.function}
        self._read: dict[str, FunctionDef] = {}

    def function(self, name: str) -> FunctionDef | None:
        """Return a function by name, or None where the graph has none of that name."""
        found = self._read.get(name)
        if found is None and name in self._functions:
            found = self._read[name] = FunctionDef(self._functions[name])
        return found


class Signature:
    """What a saved model takes and gives: tensor names of its inputs and outputs."""

    __slots__ = ("inputs", "outputs")

    def __init__(self, message: Any) -> None:
        self.inputs = [entry.value.name for entry in message.inputs]
        self.outputs = [entry.value.name for entry in sorted(message.outputs, key=lambda entry: entry.key)]


def _nodes(messages: Any) -> dict[str, NodeDef]:
    return {node.name: node for node in map(NodeDef, messages)}


def read_model(data: Buffer) -> tuple[GraphDef, dict[str, Signature] | None]:
    """Read a frozen graph or a saved model.

    Parameters
    ----------
    data : bytes or FileBytes
        The file.

    Returns
    -------
    graph : GraphDef
        Of a saved model that which is tagged ``serve``, or the first.
    signatures : dict of str to Signature, or None
        Those of a saved model.

    Raises
    ------
    ModelFormatError
        When the file is damaged, or neither.
    """
    # Field 1 is the version number of a saved model, and the first node of a graph.
    if data[0] != 0x08:
        content = protobuf.without_payloads(data, _GRAPH, _KEPT_BYTES)
        return GraphDef(protobuf.parse(_message("Graph"), content)), None
    content = protobuf.without_payloads(data, _SAVED_MODEL, _KEPT_BYTES)
    metas = [
        one
        for one in protobuf.parse(_message("SavedModel"), content).meta_graphs
        if one.HasField("graph_def")
    ]
    if not metas:
        raise ModelFormatError("the saved model holds no graph")
    meta = next((one for one in metas if "serve" in one.meta_info_def.tags), metas[0])
    return GraphDef(meta.graph_def), {entry.key: Signature(entry.value) for entry in meta.signature_def}
