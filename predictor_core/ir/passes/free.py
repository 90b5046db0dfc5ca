"""Drop ops that no device executes, and data movement that moves nothing."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.ops import FREE_OPS
from predictor_core.ir.passes.contract import graph_pass

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


@graph_pass(requires=("live",), ensures="no free ops", ops=tuple(FREE_OPS))
def drop_free(graph: MutableGraph) -> None:
    """Remove identity, dropout, cast and the like; their names go to ``Graph.free``."""
    found = {
        node.name: node.inputs[0]
        for node in graph.of(*FREE_OPS)
        if len(node.inputs) == 1 and len(node.outputs) == 1 and graph.shape(node.inputs[0]) == node.shape
    }
    graph.free += found
    graph.bypass(found)


@graph_pass(requires=("no free ops", "channel shuffles"), ensures="no idle movement", ops=_MAY_BE_NOOP)
def drop_noops(graph: MutableGraph) -> None:
    """Remove reshapes, slices, pools... whose output is their input, and join what is left of chains.

    Transposes in a row are one. A transpose that moves only dimensions of size 1 is a reshape; of reshapes in
    a row the last one stays.
    """
    for node in graph.of("transpose"):
        before = graph.producer(node.inputs[0])
        if before.op == "transpose" and graph.only_reader(before.name) is node:
            perm = tuple([before.attrs["perm"][axis] for axis in node.attrs["perm"]])
            graph.replace(node, "transpose", before.inputs, {**node.attrs, "perm": perm})
    for node in graph.of("transpose"):
        if _keeps_order(graph, node):
            graph.replace(node, "reshape", node.inputs)
    for node in graph.of("reshape"):
        while True:
            before = graph.producer(node.inputs[0])
            if before.op != "reshape" or graph.only_reader(before.name) is None:
                break
            node = graph.replace(node, "reshape", before.inputs)
    idle = {
        node.name: node.inputs[0]
        for node in graph.of(*_MAY_BE_NOOP)
        if len(node.inputs) == 1 and len(node.outputs) == 1 and _is_noop(graph, node)
    }
    graph.free += idle
    graph.bypass(idle)


def _keeps_order(graph: MutableGraph, node: Node) -> bool:
    shape = graph.shape(node.inputs[0])
    kept = [dim for dim in node.attrs.get("perm", ()) if shape[dim] > 1]
    return bool(kept or max(shape, default=1) == 1) and kept == sorted(kept)


def _is_noop(graph: MutableGraph, node: Node) -> bool:
    if graph.shape(node.inputs[0]) != node.shape:
        return False
    if node.op in ("avgpool", "maxpool"):
        return tuple(node.attrs.get("kernel", ())) == (1, 1)
    if node.op == "transpose":
        return False
    if node.op == "slice":
        return all(step > 0 for step in node.attrs.get("steps", ()))
    return True
