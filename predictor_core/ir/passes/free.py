"""Drop ops that no device executes, and data movement that moves nothing."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.ops import FREE_OPS
from predictor_core.ir.passes.draft import Draft, retyped

_MAY_BE_NOOP = (
    "reshape",
    "transpose",
    "slice",
    "expand",
    "pad",
    "resize",
    "concat",
    "avgpool",
    "maxpool",
    "adaptivepool",
    "split",
)


def drop_free(draft: Draft) -> None:
    """Remove identity, dropout, cast and the like; their names go to ``Graph.free``."""
    for node in draft.of(*FREE_OPS):
        if len(node.inputs) == 1 and len(node.outputs) == 1 and draft.shape(node.inputs[0]) == node.shape:
            draft.free.append(node.name)
            draft.bypass(node, node.inputs[0])


def drop_noops(draft: Draft) -> None:
    """Remove reshapes, slices, pools... whose output is their input, and join what is left of chains.

    Transposes in a row are one. A transpose that moves only dimensions of size 1 is a reshape; of reshapes in
    a row the last one stays.
    """
    for node in draft.of("transpose"):
        before = draft.producer(node.inputs[0])
        if before.op == "transpose" and draft.only_reader(before.name) is node:
            perm = tuple([before.attrs["perm"][axis] for axis in node.attrs["perm"]])
            draft.put(retyped(node, "transpose", before.inputs, {**node.attrs, "perm": perm}))
    for node in draft.of("transpose"):
        if _keeps_order(draft, node):
            draft.put(retyped(node, "reshape", node.inputs))
    for node in draft.of("reshape"):
        while True:
            before = draft.producer(node.inputs[0])
            if before.op != "reshape" or draft.only_reader(before.name) is None:
                break
            node = retyped(node, "reshape", before.inputs)
            draft.put(node)
    for node in draft.of(*_MAY_BE_NOOP):
        if len(node.inputs) == 1 and len(node.outputs) == 1 and _is_noop(draft, node):
            draft.free.append(node.name)
            draft.bypass(node, node.inputs[0])


def _keeps_order(draft: Draft, node: Node) -> bool:
    shape = draft.shape(node.inputs[0])
    kept = [dim for dim in node.attrs.get("perm", ()) if shape[dim] > 1]
    return bool(kept or max(shape, default=1) == 1) and kept == sorted(kept)


def _is_noop(draft: Draft, node: Node) -> bool:
    if draft.shape(node.inputs[0]) != node.shape:
        return False
    if node.op in ("avgpool", "maxpool"):
        return tuple(node.attrs.get("kernel", ())) == (1, 1)
    if node.op == "transpose":
        return False
    if node.op == "slice":
        return all(step > 0 for step in node.attrs.get("steps", ()))
    return True
