"""One spelling for pools over the whole feature map."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.passes.draft import Draft, retyped

_REDUCTION = {"avg": "reduce_mean", "max": "reduce_max"}


def global_pools(draft: Draft) -> None:
    """Turn a pool whose window is the whole feature map into ``reduce_mean``/``reduce_max`` over (1, 2).

    An ``adaptivepool`` whose output size divides its input size becomes the pool that it equals.
    A reshape that only drops or restores the reduced dimensions is part of the reduction.
    """
    for node in draft.of("adaptivepool"):
        _resolve_adaptive(draft, node)
    for node in draft.of("avgpool", "maxpool"):
        shape = draft.shape(node.inputs[0])
        if (
            len(shape) == 4
            and len(node.outputs) == 1
            and node.shape[1:3] == (1, 1)
            and tuple(node.attrs["kernel"]) == shape[1:3]
            and not any(node.attrs.get("pads", ()))
        ):
            draft.put(retyped(node, _REDUCTION[node.op[:3]], node.inputs, {"axes": (1, 2), "keepdims": True}))
    for node in draft.of("reduce_mean", "reduce_max"):
        _normalise(draft, node)


def pool_indices(draft: Draft) -> None:
    """Bring the indices of max pools, the second output, to one form.

    Indices that nothing reads go. Exporters make them count from the start of their channel: by subtracting
    those of a pool with a window of one pixel.
    """
    for node in draft.of("maxpool"):
        indices = f"{node.name}:1"
        if len(node.outputs) != 2:
            continue
        for reader in draft.readers(indices):
            if (
                reader.op == "sub"
                and reader.inputs[0] == indices
                and _is_start(draft, reader.inputs[-1], node)
            ):
                draft.bypass(reader, indices)
        if indices not in draft.outputs and not draft.readers(indices):
            draft.put(Node(node.name, node.op, node.inputs, node.attrs, node.outputs[:1], node.scope))
            draft.rewire(f"{node.name}:0", node.name)


def _is_start(draft: Draft, tensor: str, pool: Node) -> bool:
    first = draft.producer(tensor)
    if first.op != "slice":
        return False
    pixels = draft.producer(first.inputs[0])
    return pixels.op == "maxpool" and pixels.inputs == pool.inputs and tuple(pixels.attrs["kernel"]) == (1, 1)


def _resolve_adaptive(draft: Draft, node: Node) -> None:
    shape = draft.shape(node.inputs[0])
    if len(shape) != 4 or len(node.outputs) != 1:
        return
    (height, width), (rows, columns) = shape[1:3], node.shape[1:3]
    if height % rows == 0 and width % columns == 0:
        window = (height // rows, width // columns)
        attrs = {"kernel": window, "strides": window, "pads": (0, 0, 0, 0)}
        draft.put(retyped(node, node.attrs.get("mode", "avg") + "pool", node.inputs, attrs))


def _normalise(draft: Draft, node: Node) -> None:
    shape = draft.shape(node.inputs[0])
    axes = tuple(sorted({axis % len(shape) for axis in node.attrs.get("axes", ())})) or tuple(
        range(len(shape))
    )
    inputs, before = node.inputs, draft.producer(node.inputs[0])
    if before.op == "reshape" and axes == (1, 2) and len(shape) == 4:
        inner = draft.shape(before.inputs[0])
        if len(inner) == 4 and (inner[0], inner[3]) == (shape[0], shape[3]):
            # The pixels of a channel in another arrangement have the same mean.
            inputs = before.inputs
    outputs, reader = node.outputs, draft.only_reader(node.name)
    dropped = tuple([dim for axis, dim in enumerate(shape) if axis not in axes])
    kept = tuple([1 if axis in axes else dim for axis, dim in enumerate(shape)])
    if reader is not None and reader.op == "reshape" and reader.shape in (dropped, kept):
        outputs = reader.outputs
    attrs = {"axes": axes, "keepdims": len(outputs[0]) == len(shape)}
    if attrs != node.attrs or outputs is not node.outputs or inputs is not node.inputs:
        draft.put(Node(node.name, node.op, inputs, attrs, outputs, node.scope))
    if reader is not None and outputs is reader.outputs:
        draft.bypass(reader, node.name)
