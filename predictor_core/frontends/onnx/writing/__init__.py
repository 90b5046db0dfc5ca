"""A Graph as an ONNX model with random weights: to run what was only described.

Images (tensors that convolutions and pools read) are channels first in the file, everything else is as in the
Graph. A large weight is written as the product of two small random ones, which every runtime computes once
when it loads the model; so the file of a large model is small.
"""

from __future__ import annotations

from typing import Any

from predictor_core.errors import UnsupportedOpError, requires
from predictor_core.frontends.onnx.writing import data_ops, dense_ops, map_ops
from predictor_core.frontends.onnx.writing.writer import IR_VERSION, OPSET, Handler, Writer
from predictor_core.ir.graph import Graph
from predictor_core.ir.passes import canonicalize

_HANDLERS: dict[str, Handler] = {**dense_ops.HANDLERS, **map_ops.HANDLERS, **data_ops.HANDLERS}


def graph_to_onnx(graph: Graph, seed: int = 0) -> Any:
    """Write a Graph as an ONNX model.

    Parameters
    ----------
    graph : Graph
        Brought to its canonical form first.
    seed : int
        Of the random weights.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    UnsupportedOpError
        For an op that has no handler here; the message names the node.
    MissingDependencyError
        Without onnx.
    """
    with requires("onnx", "onnx", "Writing an ONNX model"):
        import onnx
    graph = canonicalize(graph)
    writer = Writer(graph, seed)
    for node in graph:
        handler = _HANDLERS.get(node.op)
        if handler is None:
            raise UnsupportedOpError(f"node {node.name!r}: op {node.op!r} can't be written as ONNX")
        handler(writer, node)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            writer.nodes,
            graph.name or "model",
            [writer.info(name) for node in graph.inputs for name in node.tensors],
            [writer.info(tensor) for tensor in graph.outputs],
            writer.weights,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nnmeter-nni",
    )
    return model
