"""Multiply-accumulates of an ONNX model, counted from the shapes that its tensors have in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import onnx

Shape = tuple[int, ...]


def node_macs(node: Any, shapes: Mapping[str, Shape]) -> float | None:
    """Multiply-accumulates of a node by the definition of its op; None for an op that has none.

    Parameters
    ----------
    node : NodeProto
        Of ONNX or of onnxruntime's own domain.
    shapes : mapping
        Shapes of its inputs and outputs.
    """
    count = _COUNTS.get(node.op_type)
    if count is None:
        return None
    attrs = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    inputs = [shapes.get(name, ()) if name else () for name in node.input]
    return float(count(attrs, inputs, shapes.get(node.output[0], ())))


def runtime_macs(model: Any, feeds: Mapping[str, Any]) -> float:
    """Multiply-accumulates of a whole model, run once in onnxruntime without optimisations.

    Parameters
    ----------
    model : ModelProto
        With its weights; not changed.
    feeds : mapping
        Its inputs by name.
    """
    import onnxruntime

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    known = {info.name for info in copy.graph.output}
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in known:
                known.add(name)
                copy.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        copy.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    shapes = {name: np.shape(value) for name, value in zip(names, session.run(names, dict(feeds)))}
    shapes.update({name: value.shape for name, value in feeds.items()})
    shapes.update({tensor.name: tuple(tensor.dims) for tensor in copy.graph.initializer})
    return sum(node_macs(node, shapes) or 0.0 for node in copy.graph.node)


def _conv(attrs: Any, inputs: list[Shape], out: Shape) -> float:
    return prod(out) * prod(inputs[1][1:])


def _quantised_conv(attrs: Any, inputs: list[Shape], out: Shape) -> float:
    return prod(out) * prod(inputs[3][1:])


def _transposed_conv(attrs: Any, inputs: list[Shape], out: Shape) -> float:
    return prod(inputs[0]) * prod(inputs[1][1:])


def _product(attrs: Any, inputs: list[Shape], out: Shape) -> float:
    return prod(out) * inputs[0][-2 if attrs.get("transA") else -1]


def _recurrent(attrs: Any, inputs: list[Shape], out: Shape) -> float:
    return inputs[0][0] * inputs[0][1] * (prod(inputs[1]) + prod(inputs[2]))


def _einsum(attrs: Any, inputs: list[Shape], out: Shape) -> float:
    """Every combination of the letters of two operands, where they sum over some; else none."""
    terms, _, result = attrs["equation"].decode().replace(" ", "").partition("->")
    letters: dict[str, int] = {}
    for term, shape in zip(terms.split(","), inputs):
        letters.update(zip(term.replace("...", ""), shape[len(shape) - len(term.replace("...", "")) :]))
    if len(inputs) != 2 or not set(letters) - set(result):
        return 0.0
    return prod(out) * prod(size for letter, size in letters.items() if letter not in result)


def _attention(attrs: Any, inputs: list[Shape], out: Shape) -> float:
    heads = [attrs.get(name) for name in ("q_num_heads", "kv_num_heads", "kv_num_heads")]
    query, key, value = [
        (shape[0], count, shape[1], shape[2] // count) if len(shape) == 3 else shape
        for shape, count in zip(inputs, heads)
    ]
    length = key[2] + (inputs[4][2] if len(inputs) > 4 and inputs[4] else 0)
    return prod(query[:3]) * length * (query[3] + value[3])


_COUNTS = {
    **dict.fromkeys(("Conv", "ConvInteger", "DeformConv", "FusedConv"), _conv),
    **dict.fromkeys(
        ("FusedMatMul", "Gemm", "FusedGemm", "MatMul", "MatMulInteger", "QLinearMatMul"), _product
    ),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
    "Attention": _attention,
    "ConvTranspose": _transposed_conv,
    "Einsum": _einsum,
    "QLinearConv": _quantised_conv,
}
