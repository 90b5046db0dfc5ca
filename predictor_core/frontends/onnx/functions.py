"""Functions that a model brings along: expanded where they are called, after their size is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from predictor_core.budget import meter
from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.frontends.onnx.file import MAX_NESTED

#: What identifies a function: domain, name, overload.
_Key = tuple[str, str, str]

#: Most calls inside of calls; exporters write a few.
_MAX_CALLS = 100


def inlined(model: Any) -> Any:
    """Return a model with its own functions expanded.

    Parameters
    ----------
    model : ModelProto
        Not changed.

    Raises
    ------
    ModelFormatError
        Expanded, it is over the budget.
    GraphError
        A function calls itself, or is called with more inputs or outputs than it has.
    """
    if not model.functions:
        return model
    from onnx import inliner

    _check_size(model)
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise ModelFormatError(f"the functions of the model can't be expanded: {error}") from error


def _check_size(model: Any) -> None:
    """Compute how many nodes and bytes the expanded model has, and spend them."""
    functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
    sizes: dict[_Key, tuple[int, int]] = {}
    for key in _callees_first(functions):
        sizes[key] = _size(functions[key].node, functions, sizes)
    nodes, size = _size(model.graph.node, functions, sizes)
    # Each node is counted once more when it is converted.
    meter().spend(nodes=nodes, memory_bytes=4 * size)


def _size(nodes: Any, functions: dict[_Key, Any], sizes: dict[_Key, tuple[int, int]]) -> tuple[int, int]:
    count = size = 0
    for node in _all_nodes(nodes):
        key = _key(node)
        called = functions.get(key)
        if called is None:
            count, size = count + 1, size + _own_bytes(node)
            continue
        if len(node.input) > len(called.input) or len(node.output) > len(called.output):
            raise GraphError(
                f"node {node.name!r} calls the function {node.op_type!r} with "
                f"{len(node.input)} inputs and {len(node.output)} outputs; it has {len(called.input)} and "
                f"{len(called.output)}"
            )
        count, size = count + 1 + sizes[key][0], size + _own_bytes(node) + sizes[key][1]
    return count, size


def _own_bytes(node: Any) -> int:
    """Bytes of a node without the graphs in it, whose nodes are counted by themselves."""
    graphs = sum(int(graph.ByteSize()) for graph in _graphs(node))
    return int(node.ByteSize()) - graphs


def _callees_first(functions: dict[_Key, Any]) -> list[_Key]:
    """Return the functions so that one comes after those that it calls."""
    waiting: dict[_Key, int] = {}
    callers: dict[_Key, list[_Key]] = {}
    for key, function in functions.items():
        callees = {_key(node) for node in _all_nodes(function.node)} & functions.keys()
        waiting[key] = len(callees)
        for callee in callees:
            callers.setdefault(callee, []).append(key)
    order = [key for key, count in waiting.items() if not count]
    depths = dict.fromkeys(order, 0)
    for key in order:
        for caller in callers.get(key, ()):
            waiting[caller] -= 1
            depths[caller] = max(depths.get(caller, 0), depths[key] + 1)
            if not waiting[caller]:
                order.append(caller)
    if len(order) < len(functions):
        stuck = next(key for key, count in waiting.items() if count)
        raise GraphError(f"the function {stuck[1]!r} of the model calls itself, by way of others or at once")
    if max(depths.values(), default=0) > _MAX_CALLS:
        raise ModelFormatError(f"functions of the model call each other more than {_MAX_CALLS} deep")
    return order


def _all_nodes(nodes: Any) -> Iterator[Any]:
    """Nodes, and those of the graphs in them."""
    stack = [(node, 0) for node in nodes]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_NESTED:
            raise ModelFormatError(f"graphs are nested more than {MAX_NESTED} deep")
        yield node
        stack += [(inner, depth + 1) for graph in _graphs(node) for inner in graph.node]


def _graphs(node: Any) -> list[Any]:
    found = []
    for attribute in node.attribute:
        if attribute.type == 5:
            found.append(attribute.g)
        elif attribute.type == 10:
            found += attribute.graphs
    return found


def _key(node: Any) -> _Key:
    return (node.domain, node.op_type, getattr(node, "overload", ""))
