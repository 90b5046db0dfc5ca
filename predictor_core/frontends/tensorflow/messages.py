"""The few messages of TensorFlow models that matter here; payloads of weights are left out before."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common import protobuf
from predictor_core.frontends.common.file import Buffer
from predictor_core.frontends.tensorflow.descriptor import message_class

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

#: Where payloads stand: values of tensors, serialised text, collections, objects.
_KEPT_BYTES = 8 * MAX_VALUES
_TENSOR: protobuf.Fields = dict.fromkeys((4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17))
_ATTR: protobuf.Fields = {1: {2: None, 4: None, 8: _TENSOR}, 2: None, 8: _TENSOR, 9: None}
_NODE: protobuf.Fields = {5: {2: _ATTR}}
_GRAPH: protobuf.Fields = {1: _NODE, 2: {1: {3: _NODE, 5: {2: _ATTR}}, 2: None}}
_SAVED_MODEL: protobuf.Fields = {2: {1: {2: None}, 2: _GRAPH, 3: None, 4: None, 7: None}}


class NodeDef:
    """One node: ``name``, ``op``, ``inputs`` as written, and attributes."""

    __slots__ = ("_attrs", "_message", "inputs", "name", "op")

    def __init__(self, message: Any) -> None:
        self._message = message
        self._attrs: dict[str, Any] | None = None
        self.name: str = message.name
        self.op: str = message.op
        self.inputs: list[str] = message.input[:]
        if not (self.name and self.name.isprintable() and self.op.isprintable()):
            raise ModelFormatError(f"a node is called {self.name!r}: the file is damaged")

    def _value(self, key: str, field: str, default: Any) -> Any:
        if self._attrs is None:
            self._attrs = {entry.key: entry.value for entry in self._message.attr[:]}
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

    def boolean(self, key: str) -> bool:
        """Return a bool attribute; False where it is absent."""
        return bool(self._value(key, "b", False))

    def type(self, key: str = "dtype") -> int:
        """Return TensorFlow's number of a type attribute; 0 where it is absent."""
        return int(self._value(key, "type", 0))

    def function(self, key: str = "f") -> str:
        """Return the name of a function attribute."""
        found = self._value(key, "func", None)
        return "" if found is None else str(found.name)

    def integers(self, key: str) -> tuple[int, ...]:
        """Return an attribute that lists ints; empty where it is absent."""
        found = self._value(key, "list", None)
        return () if found is None else tuple(found.i[:])

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
    return None if message.unknown_rank else tuple([dim.size for dim in message.dim[:]])


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
        found = getattr(self._message, field)[:] or [0]
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
    assigned : set of str
        Arguments that are variables which the function sets: the state that a model keeps.
    """

    __slots__ = ("arguments", "assigned", "nodes", "results", "returned")

    def __init__(self, message: Any) -> None:
        self.nodes = _nodes(message.node_def)
        self.arguments = [argument.name for argument in message.signature.input_arg]
        self.results = [result.name for result in message.signature.output_arg]
        self.returned = {entry.key: entry.value for entry in message.ret}
        self.assigned = {
            node.inputs[0] for node in self.nodes.values() if node.op == "AssignVariableOp" and node.inputs
        }


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
        return GraphDef(protobuf.parse(message_class("Graph"), content)), None
    content = protobuf.without_payloads(data, _SAVED_MODEL, _KEPT_BYTES)
    metas = [
        one
        for one in protobuf.parse(message_class("SavedModel"), content).meta_graphs
        if one.HasField("graph_def")
    ]
    if not metas:
        raise ModelFormatError("the saved model holds no graph")
    meta = next((one for one in metas if "serve" in one.meta_info_def.tags), metas[0])
    return GraphDef(meta.graph_def), {entry.key: Signature(entry.value) for entry in meta.signature_def}
