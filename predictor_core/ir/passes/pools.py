"""One form for pools over the whole feature map."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass

_REDUCTION = {"avg": "reduce_mean", "max": "reduce_max"}


@graph_pass(
    requires=("no idle movement", "folded pads", "pool indices"),
    ensures="global pools",
    ops=("adaptivepool", "avgpool", "maxpool", "reduce_mean", "reduce_max"),
)
def global_pools(graph: MutableGraph) -> None:
    """Turn a pool whose window is the whole feature map into ``reduce_mean``/``reduce_max`` over (1, 2).

    An ``adaptivepool`` whose output size divides its input size becomes the pool that it equals.
    A reshape that only drops or restores the reduced dimensions is part of the reduction.
    """
    for node in graph.of("adaptivepool"):
        _resolve_adaptive(graph, node)
    for node in graph.of("avgpool", "maxpool"):
        shape = graph.shape(node.inputs[0])
        if (
            len(shape) == 4
            and len(node.outputs) == 1
            and node.shape[1:3] == (1, 1)
            and tuple(node.attrs["kernel"]) == shape[1:3]
            and not any(node.attrs.get("pads", ()))
        ):
            graph.replace(node, _REDUCTION[node.op[:3]], node.inputs, {"axes": (1, 2), "keepdims": True})
    joined: dict[str, str] = {}
    for node in graph.of("reduce_mean", "reduce_max"):
        _normalise(graph, node, joined)
    graph.bypass(joined)


@graph_pass(requires=("no free ops",), ensures="pool indices", ops=("maxpool",))
def pool_indices(graph: MutableGraph) -> None:
    """Bring the indices of max pools, the second output, to one form.

    Indices that nothing reads go. Exporters make them count from the start of their channel: by subtracting
    those of a pool with a window of one pixel.
    """
    shifted: dict[str, str] = {}
    single: dict[str, str] = {}
    for node in graph.of("maxpool"):
        indices = f"{node.name}:1"
        if len(node.outputs) != 2:
            continue
        for reader in graph.reading(indices):
            if (
                reader.op == "sub"
                and reader.inputs[0] == indices
                and _is_start(graph, reader.inputs[-1], node)
            ):
                shifted[reader.name] = indices
        if not graph.is_output(indices) and not graph.readers(indices):
            graph.replace(node, outputs=node.outputs[:1])
            single[f"{node.name}:0"] = node.name
    graph.rewire(single)
    graph.bypass(shifted)


def _is_start(graph: MutableGraph, tensor: str, pool: Node) -> bool:
    first = graph.producer(tensor)
    if first.op != "slice":
        return False
    pixels = graph.producer(first.inputs[0])
    return pixels.op == "maxpool" and pixels.inputs == pool.inputs and tuple(pixels.attrs["kernel"]) == (1, 1)


def _resolve_adaptive(graph: MutableGraph, node: Node) -> None:
    shape = graph.shape(node.inputs[0])
    if len(shape) != 4 or len(node.outputs) != 1:
        return
    (height, width), (rows, columns) = shape[1:3], node.shape[1:3]
    if height % rows == 0 and width % columns == 0:
        window = (height // rows, width // columns)
        attrs = {"kernel": window, "strides": window, "pads": (0, 0, 0, 0)}
        graph.replace(node, node.attrs.get("mode", "avg") + "pool", node.inputs, attrs)


def _normalise(graph: MutableGraph, node: Node, joined: dict[str, str]) -> None:
    shape = graph.shape(node.inputs[0])
    axes = tuple(sorted({axis % len(shape) for axis in node.attrs.get("axes", ())})) or tuple(
        range(len(shape))
    )
    inputs, before = node.inputs, graph.producer(node.inputs[0])
    if before.op == "reshape" and axes == (1, 2) and len(shape) == 4:
        inner = graph.shape(before.inputs[0])
        if len(inner) == 4 and (inner[0], inner[3]) == (shape[0], shape[3]):
            # The pixels of a channel in another arrangement have the same mean.
            inputs = before.inputs
    outputs, reader = node.outputs, graph.only_reader(node.name)
    dropped = tuple([dim for axis, dim in enumerate(shape) if axis not in axes])
    kept = tuple([1 if axis in axes else dim for axis, dim in enumerate(shape)])
    if reader is not None and reader.op == "reshape" and reader.shape in (dropped, kept):
        outputs = reader.outputs
    attrs = {"axes": axes, "keepdims": len(outputs[0]) == len(shape)}
    if attrs != node.attrs or outputs is not node.outputs or inputs is not node.inputs:
        graph.replace(node, inputs=inputs, attrs=attrs, outputs=outputs)
    if reader is not None and outputs is reader.outputs:
        joined[reader.name] = node.name
