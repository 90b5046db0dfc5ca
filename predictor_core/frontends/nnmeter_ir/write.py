"""Write a Graph as an nn-Meter IR document."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from predictor_core.files import write_atomically
from predictor_core.frontends.nnmeter_ir.types import NAMES
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.names import Names
from predictor_core.ir.ops import BINARY_OPS
from predictor_core.ir.shapes import same_pads, slide

#: Ops whose constant operand is written as a Const node.
_WITH_CONSTANTS = BINARY_OPS | {"matmul"}

_WINDOWS = frozenset({"conv", "dwconv", "convtranspose", "maxpool", "avgpool"})


def to_document(graph: Graph) -> dict[str, Any]:
    """Write a Graph as an nn-Meter IR document.

    `load` makes an equal Graph of it. Constant operands become ``Const`` nodes, weights the attribute
    ``weight_shape``. Because inbounds name nodes, ``input_slots`` says which of several outputs a node
    reads, and ``returns`` which tensors the model returns where that is not what nothing reads.

    Parameters
    ----------
    graph : Graph
        Canonical, as every front end makes it.

    Returns
    -------
    dict
        Node name -> inbounds, attr (name, type, output_shape, attr, input_shape) and outbounds,
        made of plain JSON values.
    """
    document: dict[str, Any] = {}
    names = Names(node.name for node in graph)
    for node in graph:
        sources = [graph.producer(tensor).name for tensor in node.inputs]
        attrs = _attributes(graph, node)
        if any(tensor not in graph for tensor in node.inputs):
            attrs["input_slots"] = [graph.producer(tensor).tensors.index(tensor) for tensor in node.inputs]
        input_shape = [list(shape) for shape in graph.input_shapes(node)]
        constant = _constant(node, names)
        if constant is not None:
            name, entry = constant
            document[name] = entry
            place = 0 if node.attrs.get("const_first") else len(sources)
            sources.insert(place, name)
            input_shape.insert(place, list(entry["attr"]["output_shape"][0]))
        document[node.name] = _entry(
            node.name,
            NAMES.get(node.op, node.op),
            sources,
            attrs,
            input_shape,
            [list(shape) for shape in node.outputs],
        )
        if node.scope:
            document[node.name]["attr"]["scope"] = node.scope
        for source in sources:
            outbounds = document[source]["outbounds"]
            if node.name not in outbounds:
                outbounds.append(node.name)
    for position, tensor in enumerate(graph.outputs if graph.outputs != _unread(graph) else ()):
        node = graph.producer(tensor)
        slot = node.tensors.index(tensor)
        document[node.name]["attr"].setdefault("returns", []).append([slot, position])
    return document


def dump(document: Mapping[str, Any], path: str | os.PathLike[str], **output: Any) -> None:
    """Write a document to a JSON file, four spaces deep, as nn-Meter IR files are.

    Parameters
    ----------
    document : mapping
        The nn-Meter IR.
    path : path
        The file, written whole or not at all.
    **output
        As for `predictor_core.files.output_path`.

    Raises
    ------
    OutputError
        When the file can't be written, or must not be written over.
    """
    write_atomically(path, json.dumps(document, indent=4), **output)


def _entry(
    name: str,
    kind: str,
    inbounds: list[str],
    attrs: dict[str, Any],
    inputs: list[list[int]],
    outputs: list[list[int]],
) -> dict[str, Any]:
    attr = {"name": name, "type": kind, "output_shape": outputs, "attr": attrs, "input_shape": inputs}
    return {"inbounds": inbounds, "attr": attr, "outbounds": []}


def _unread(graph: Graph) -> tuple[str, ...]:
    read = {tensor for node in graph for tensor in node.inputs}
    return tuple(tensor for node in graph for tensor in node.tensors if tensor not in read)


def _constant(node: Node, names: Names) -> tuple[str, dict[str, Any]] | None:
    """Name and entry of the Const node that stands for the constant operand of a node."""
    if node.op not in _WITH_CONSTANTS:
        return None
    if "const" in node.attrs:
        shape, values = [], [node.attrs["const"]]
    elif "const_shape" in node.attrs:
        shape, values = list(node.attrs["const_shape"]), []
    else:
        return None
    name = names.fresh(f"{node.name}/y")
    return name, _entry(name, "Const", [], {"tensor_shape": shape, "constant": values}, [], [shape])


def _attributes(graph: Graph, node: Node) -> dict[str, Any]:
    op = node.op
    if op == "input":
        return {"shape": list(node.shape)}
    if op in _WINDOWS:
        return _window(graph, node)
    attrs = {key: _plain(value) for key, value in node.attrs.items()}
    if op == "fc":
        attrs["weight_shape"] = [graph.input_shapes(node)[0][-1], node.shape[-1]]
        if not attrs.get("bias"):
            attrs.pop("bias", None)
    elif op == "concat":
        attrs["axis"] = [attrs["axis"]]
    elif op == "split":
        attrs["split_dim"] = [attrs.pop("axis")]
    elif op == "reshape":
        attrs["shape"] = list(node.shape)
    elif op in ("bn", "biasadd"):
        attrs["data_format"] = "NHWC"
    elif op == "pad":
        attrs["paddings"] = attrs.pop("pads")
    elif "axes" in attrs and op.startswith("reduce_"):
        attrs["reduction_indices"] = attrs.pop("axes")
    elif op in _WITH_CONSTANTS:
        for key in ("const", "const_shape", "const_first"):
            attrs.pop(key, None)
    return attrs


def _window(graph: Graph, node: Node) -> dict[str, Any]:
    """Attributes of a conv or pool."""
    attrs = node.attrs
    shape = graph.input_shapes(node)[0]
    kernel, strides, pads = tuple(attrs["kernel"]), tuple(attrs["strides"]), tuple(attrs["pads"])
    dilations = tuple(attrs.get("dilations", (1, 1)))
    padding = "EXPLICIT"
    if node.op != "convtranspose":
        same = tuple(-(-n // s) for n, s in zip(shape[1:3], strides))
        if pads == same_pads(shape[1:3], kernel, strides, dilations) and node.shape[1:3] == same:
            padding = "SAME"
        elif not any(pads) and node.shape[1:3] == slide(shape[1:3], kernel, strides, dilations, "VALID")[1]:
            padding = "VALID"
    written: dict[str, Any] = {"padding": padding, "strides": list(strides), "data_format": "NHWC"}
    if node.op in ("maxpool", "avgpool"):
        written["ksize"] = list(kernel)
    else:
        groups = attrs["groups"]
        channels, filters = shape[-1], node.shape[-1]
        weight = [channels // groups, filters]
        if node.op == "dwconv":
            weight = [channels, filters // channels]
        elif node.op == "convtranspose":
            weight = [filters // groups, channels]
        written["dilations"] = list(dilations)
        written["kernel_shape"] = list(kernel)
        written["weight_shape"] = [*kernel, *weight]
        if groups > 1 and node.op != "dwconv":
            written["group"] = groups
        if attrs.get("bias"):
            written["bias"] = True
        if "output_padding" in attrs:
            written["output_padding"] = list(attrs["output_padding"])
    written["pads"] = list(pads)
    return written


def _plain(value: Any) -> Any:
    """Return a value with lists for tuples, as JSON has them."""
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
