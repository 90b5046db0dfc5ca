"""A Graph as a TFLite model with random weights: to run what was only described.

The file is what TensorFlow's converter makes of such a network: clamping activations are parts of the ops
before them, batch norms are parts of the weights, and padding that is not TensorFlow's ``SAME`` is an op of
its own.
Weights of one size share their numbers, which keeps files small.
"""

from __future__ import annotations

from predictor_core.errors import UnsupportedOpError, requires
from predictor_core.frontends.tflite.writing import data_ops, dense_ops, map_ops
from predictor_core.frontends.tflite.writing.writer import Handler, Writer
from predictor_core.ir.graph import Graph
from predictor_core.ir.passes import canonicalize

_HANDLERS: dict[str, Handler] = {**dense_ops.HANDLERS, **map_ops.HANDLERS, **data_ops.HANDLERS}


def graph_to_tflite(graph: Graph, seed: int = 0) -> bytes:
    """Write a Graph as a TFLite model.

    Parameters
    ----------
    graph : Graph
        Brought to its canonical form first.
    seed : int
        Of the random weights.

    Returns
    -------
    bytes
        Content of a ``.tflite`` file, in single precision.

    Raises
    ------
    UnsupportedOpError
        For an op that has no handler here; the message names the node.
    MissingDependencyError
        Without LiteRT, whose schema this writes.
    """
    with requires("ai-edge-litert", "litert", "Writing a TFLite model"):
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema
    graph = canonicalize(graph)
    writer = Writer(graph, schema, seed)
    for node in graph:
        if node.name in writer.written:
            continue
        handler = _HANDLERS.get(node.op)
        if handler is None:
            raise UnsupportedOpError(f"node {node.name!r}: op {node.op!r} can't be written as TFLite")
        handler(writer, node)
    builder = flatbuffers.Builder(2**20)
    builder.Finish(writer.model().Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
