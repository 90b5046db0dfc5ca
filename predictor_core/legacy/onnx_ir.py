"""nn-Meter's own reading of an ONNX model: `ModelProto` to IR dict, its losses included.

Of several Slices of one tensor only the first is kept, with the outputs of all; what read the others
loses that input. A node on tensors of unknown shape or of rank 1 gets no type, on which detection fails.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from predictor_core.errors import ModelFormatError, requires
from predictor_core.frontends.onnx.inference import infer
from predictor_core.legacy.errors import ParityError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

#: Initializers above this many elements are weights: shape inference needs their dims, never their data.
_MAX_SHAPE_ELEMENTS = 1024


def onnx_to_ir(model: ModelProto) -> dict[str, Any]:
    """Convert a model to the nn-Meter IR that nn-Meter makes of it.

    Parameters
    ----------
    model : onnx.ModelProto
        Simplified, with named nodes, as nn-Meter expects; it is not changed.

    Returns
    -------
    dict
        Node name -> ``{"inbounds", "attr"}``, shapes channels last where they have rank 4.

    Raises
    ------
    ModelFormatError
        Shape inference refuses the model.
    ParityError
        nn-Meter raises on it.
    """
    graph, known = _with_shapes(model)
    shapes = {
        tensor.name: _shape(tensor)
        for part in (known.input, known.value_info, known.output)
        for tensor in part
    }
    makers: dict[str, list[str]] = {}
    slices: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for tensor in node.output:
            makers.setdefault(tensor, []).append(node.name)
        if node.op_type == "Slice" and node.input:
            slices.setdefault(node.input[0], []).append(node)
    kept = {readers[0].name for readers in slices.values()}
    ir = {}
    for node in graph.node:
        if not node.output or (node.op_type == "Slice" and node.name not in kept):
            continue
        inputs = [tensor for tensor in node.input if tensor in shapes]
        outputs = [tensor for tensor in node.output if tensor in shapes]
        if node.op_type == "Slice":
            source = node.input[0] if node.input else ""
            if source not in shapes:
                raise ParityError(
                    f"Slice {node.name!r} reads {source!r}, whose shape is unknown; nn-Meter fails on it"
                )
            siblings = (other for other in slices[source] if other.name != node.name)
            outputs += [tensor for other in siblings for tensor in other.output if tensor in shapes]
        ir[node.name] = {
            "inbounds": [maker for tensor in inputs for maker in makers.get(tensor, ())],
            "attr": _attr(node, [shapes[t] for t in inputs], [shapes[t] for t in outputs]),
        }
    return ir


def _attr(node: NodeProto, inputs: list[list[int]], outputs: list[list[int]]) -> dict[str, Any]:
    if not inputs or len(inputs[0]) <= 1 or not outputs or len(outputs[0]) <= 1:
        return {}
    values: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == attribute.FLOAT:
            values[attribute.name] = attribute.f
        elif attribute.type == attribute.INT:
            values[attribute.name] = attribute.i
        elif attribute.type == attribute.INTS:
            values[attribute.name] = list(attribute.ints)
    return {
        "name": node.name,
        "type": node.op_type,
        "attr": values,
        "input_shape": inputs,
        "output_shape": outputs,
    }


def _shape(tensor: ValueInfoProto) -> list[int]:
    shape = [dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
    return [shape[0], shape[2], shape[3], shape[1]] if len(shape) == 4 else shape


def _with_shapes(model: ModelProto) -> tuple[GraphProto, GraphProto]:
    """Copy the graph of `model` without its weights, and infer its shapes."""
    with requires("onnx", "onnx", "Reading an ONNX model"):
        import onnx
    if not isinstance(model, onnx.ModelProto):
        raise ModelFormatError(
            f"expected an onnx.ModelProto or the path of a file, got {type(model).__name__}"
        )
    light = onnx.ModelProto()
    light.ir_version = model.ir_version
    light.opset_import.extend(model.opset_import)
    light.functions.extend(model.functions)
    graph = model.graph
    light.graph.name = graph.name
    for part in ("node", "input", "output", "value_info"):
        getattr(light.graph, part).extend(getattr(graph, part))
    for weights in graph.initializer:
        copy = light.graph.initializer.add()
        if prod(weights.dims) <= _MAX_SHAPE_ELEMENTS:
            copy.CopyFrom(weights)
        else:
            copy.name, copy.data_type = weights.name, weights.data_type
            copy.dims.extend(weights.dims)
    return light.graph, infer(light)
