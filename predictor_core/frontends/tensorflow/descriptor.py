"""The descriptor by which the package protobuf reads TensorFlow's messages.

It names no more fields than are used; all others are skipped. Names and numbers of the fields are those of
TensorFlow's ``graph.proto``, ``node_def.proto``, ``attr_value.proto``, ``tensor.proto``,
``tensor_shape.proto``, ``function.proto``, ``op_def.proto``, ``saved_model.proto`` and ``meta_graph.proto``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from predictor_core.errors import requires

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
    "List": (("i", 3, "int64*"), ("shape", 7, "Shape*")),
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


@cache
def message_class(name: str) -> Any:
    """Return the class of a message.

    Raises
    ------
    MissingDependencyError
        When the package protobuf is not installed.
    """
    with requires("protobuf", "tensorflow", "reading TensorFlow models"):
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
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
