"""One spelling for pools over the whole feature map."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.rewrites.draft import Draft, retyped

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
    outputs, reader = node.outputs, draft.only_reader(node.name)
    dropped = tuple([dim for axis, dim in enumerate(shape) if axis not in axes])
    kept = tuple([1 if axis in axes else dim for axis, dim in enumerate(shape)])
    if reader is not None and reader.op == "reshape" and reader.shape in (dropped, kept):
        outputs = reader.outputs
    attrs = {"axes": axes, "keepdims": len(outputs[0]) == len(shape)}
    if attrs != node.attrs or outputs is not node.outputs:
        draft.put(Node(node.name, node.op, node.inputs, attrs, outputs, node.scope))
    if reader is not None and outputs is reader.outputs:
        draft.bypass(reader, node.name)
