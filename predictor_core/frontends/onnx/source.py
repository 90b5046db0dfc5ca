"""The nodes of an ONNX file: their fields, order, names for messages, and the modules they come from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.frontends.onnx.tensors import from_tensor
from predictor_core.ir.order import CycleError, topological_order

#: Oldest opset that is read.
_OLDEST_OPSET = 7
#: Modules in modules whose path is told; each takes as long as the path so far.
_DEEPEST_SCOPE = 100
#: What a model without ops of ONNX itself is read as.
_NEWEST_OPSET = 18


class SourceNode:
    """A node of the file, each field of which is read out of its message once."""

    __slots__ = ("attribute", "domain", "input", "message", "name", "op_type", "output")

    def __init__(self, node: Any) -> None:
        self.message = node
        self.name = node.name
        self.domain = node.domain
        # A slice of a repeated field is a list, and takes a third of the time of going through the field.
        self.input: list[str] = node.input[:]
        self.output: list[str] = node.output[:]
        self.attribute = node.attribute[:]
        # protobuf hands out text that is not UTF-8 as bytes.
        self.op_type = str(node.op_type)


_OUTPUT = attrgetter("output")


def label(node: SourceNode) -> str:
    """Return what messages call a node: many files leave the name empty."""
    return str(node.name or next(filter(None, node.output), node.op_type))


def scope_of(node: SourceNode) -> str:
    """Return the path of the torch module that a node was exported from, "" where the file doesn't say."""
    name = str(node.name)
    if name.startswith("/"):
        return _module_path(name[1:].rpartition("/")[0])
    # onnx knows the field since 1.16.
    for entry in getattr(node.message, "metadata_props", ()):
        if entry.key == "pkg.torch.onnx.name_scopes":
            parts = [part.strip(" '\"") for part in entry.value.strip("[]").split(",")]
            return _module_path("/".join(parts[:-1]))
    return ""


@lru_cache(maxsize=1024)
def _module_path(scope: str) -> str:
    """Join the names of nested modules; a child of a container repeats some of the path before it."""
    path = ""
    for part in scope.split("/")[:_DEEPEST_SCOPE]:
        known, _, own = part.rpartition(".")
        if path and known and f".{path}".endswith(f".{known}"):
            path = f"{path}.{own}"
        else:
            path = f"{path}.{part}" if path else part
    return path


def attribute_value(attribute: Any, kind: int) -> Any:
    """Return the value of an attribute of a kind (``AttributeType``); None for what no rule reads."""
    if kind == 2:
        return attribute.i
    if kind == 7:
        return tuple(attribute.ints[:])
    if kind == 1:
        return attribute.f
    if kind == 3:
        return attribute.s.decode("utf-8", "replace")
    if kind == 4:
        return from_tensor(attribute.t)
    if kind == 6:
        return tuple(attribute.floats[:])
    if kind == 8:
        return tuple([text.decode("utf-8", "replace") for text in attribute.strings[:]])
    return attribute.g if kind == 5 else None


def check_outputs(nodes: Sequence[SourceNode]) -> None:
    """Refuse a tensor that two nodes make."""
    names = [*filter(None, chain.from_iterable(map(_OUTPUT, nodes)))]
    if len({*names}) == len(names):
        return
    made: set[str] = set()
    for node in nodes:
        for name in node.output:
            if name in made:
                raise GraphError(
                    f"node {label(node)!r} ({node.op_type}) makes {name!r}, which another node makes, too"
                )
            if name:
                made.add(name)


def sorted_nodes(nodes: Sequence[SourceNode], known: set[str]) -> list[SourceNode]:
    """Return nodes in topological order, or refuse a cycle or an input that nothing makes."""
    producers = {name: index for index, node in enumerate(nodes) for name in node.output}
    sources: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        for name in node.input:
            if name and name not in producers and name not in known:
                raise GraphError(f"node {label(node)!r} ({node.op_type}) reads {name!r}, which nothing makes")
        sources[index] = [producers[name] for name in node.input if name in producers]
    try:
        return [nodes[index] for index in topological_order(sources)]
    except CycleError as error:
        stuck = nodes[error.item]
        raise GraphError(
            f"the graph has a cycle through or before node {label(stuck)!r} ({stuck.op_type})"
        ) from None


def opset_of(model: Any) -> int:
    """Return the version of the model's ops; raise `ModelFormatError` where they can't be read."""
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if not opset and any(entry.domain == "ai.onnx.ml" for entry in model.opset_import):
        raise ModelFormatError(
            "the model has ops of ai.onnx.ml alone: trees, linear models and scalers, as converters of "
            "scikit-learn and the like write them; latency is predicted for neural networks only"
        )
    if not opset and all(node.domain not in ("", "ai.onnx") for node in model.graph.node):
        return _NEWEST_OPSET
    if opset < _OLDEST_OPSET:
        raise ModelFormatError(
            f"the model is written in opset {opset or 'unknown'}, the oldest that can be read is "
            f"{_OLDEST_OPSET}: convert it with onnx.version_converter"
        )
    return int(opset)
