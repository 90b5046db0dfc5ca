"""Layers with bodies: the branch that is taken, and loops whose count is known, turn by turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from predictor_core.errors import GraphError, UnsupportedOpError
from predictor_core.frontends.common.call import Step
from predictor_core.frontends.common.loops import MAX_TURNS, opened, refuse_turns, tried
from predictor_core.frontends.common.values import Value, constant
from predictor_core.frontends.openvino.document import Layer, Network
from predictor_core.ir.graph import Shape

if TYPE_CHECKING:
    from predictor_core.frontends.openvino.graph import Outputs, Walk


def branch(walk: Walk, layer: Layer, inputs: list[Value | None], depth: int) -> Outputs:
    """Convert the branch of an ``If`` that a constant condition takes."""
    condition = inputs[0] if inputs else None
    if condition is None or condition.array is None:
        raise UnsupportedOpError(
            "which branch runs depends on data, or on a constant of the absent .bin: it has no fixed latency"
        )
    taken = "then" if condition.array.any() else "else"
    body = _body(layer, f"{taken}_body")
    by_port = dict(zip(layer.inputs, inputs))
    entries = layer.entries.get(f"{taken}_port_map", [])
    values = walk.walk(body, _handed(entries, by_port), depth + 1)
    return {
        entry["external_port_id"]: result(body, values, entry["internal_layer_id"])
        for kind, entry in entries
        if kind == "output"
    }


def unroll(walk: Walk, layer: Layer, inputs: list[Value | None], depth: int) -> Outputs:
    """Convert a ``TensorIterator`` or ``Loop`` turn by turn."""
    body = _body(layer, "body")
    by_port = dict(zip(layer.inputs, inputs))
    entries, edges = layer.entries.get("port_map", []), layer.entries.get("back_edges", [])
    turns = _turns(layer, by_port, entries)
    given = _handed([entry for entry in entries if "axis" not in entry[1]], by_port)
    collected: dict[str, list[Value]] = {}
    outputs: Outputs = {}
    goes_on = True
    for turn in range(turns):
        if turn == MAX_TURNS:
            refuse_turns()
        for kind, entry in entries:
            source = by_port.get(entry["external_port_id"])
            if kind == "input" and entry.get("purpose") == "current_iteration":
                given[entry["internal_layer_id"]] = constant(turn)
            elif kind == "input" and "axis" in entry and source is not None:
                given[entry["internal_layer_id"]] = _part(walk, layer, source, int(entry["axis"]), turns)
        if not turn:
            given.update(_states(walk, layer, body, given, depth))
        values = walk.walk(body, given, depth + 1)
        for kind, entry in entries:
            if kind == "output" and "internal_layer_id" in entry:
                found = result(body, values, entry["internal_layer_id"])
                if entry.get("purpose") == "execution_condition":
                    goes_on = _holds(found)
                port = entry["external_port_id"]
                outputs[port] = found
                if "axis" in entry:
                    collected.setdefault(port, []).append(found)
        if not goes_on:
            break
        for _, edge in edges:
            given[edge["to-layer"]] = result(body, values, edge["from-layer"])
    for kind, entry in entries:
        port = entry["external_port_id"]
        if kind == "output" and port in collected:
            outputs[port] = _joined(walk, layer, collected[port], int(entry["axis"]))
    return outputs


def _states(walk: Walk, layer: Layer, body: Network, given: dict[str, Value], depth: int) -> dict[str, Value]:
    """Return what the turns of a loop hand on, before the first one."""
    edges = [edge for _, edge in layer.entries.get("back_edges", []) if edge["to-layer"] in given]
    names = [edge["to-layer"] for edge in edges]

    def turned(values: list[Value]) -> list[Value]:
        found = walk.walk(body, {**given, **dict(zip(names, values))}, depth + 1)
        return [result(body, found, edge["from-layer"]) for edge in edges]

    states = opened(
        [given[name] for name in names],
        lambda values: tried(walk.nodes, turned, values),
        lambda value: walk.add_input(layer.name, value.shape),
    )
    return dict(zip(names, states))


def result(body: Network, values: dict[str, Outputs], ident: str) -> Value:
    """Return what a ``Result`` layer of a body, or another layer, gives."""
    layer = body.find(ident)
    if layer is None:
        raise GraphError(f"its body has no layer {ident!r}")
    if layer.type == "Result":
        source = body.sources.get((ident, layer.inputs[0]))
        if source is None:
            raise GraphError(f"the result {ident!r} of its body reads nothing")
        return values[source[0]][source[1]]
    return next(iter(values[ident].values()))


def _body(layer: Layer, tag: str) -> Network:
    body = layer.bodies.get(tag)
    if body is None:
        raise GraphError(f"lacks its <{tag}>")
    return body


def _handed(entries: list[tuple[str, dict[str, str]]], by_port: dict[str, Any]) -> dict[str, Value]:
    """Return the inputs of a body by their layers."""
    found = {}
    for kind, entry in entries:
        if kind == "input" and "internal_layer_id" in entry:
            value = by_port.get(entry["external_port_id"])
            if value is not None:
                found[entry["internal_layer_id"]] = value
    return found


def _turns(layer: Layer, by_port: dict[str, Any], entries: list[tuple[str, dict[str, str]]]) -> int:
    """Return how often a loop runs: as often as what it is handed in parts has parts, or as it says."""
    count: int | None = None
    for kind, entry in entries:
        source = by_port.get(entry["external_port_id"])
        if kind == "input" and "axis" in entry and source is not None:
            count = source.shape[int(entry["axis"])] // max(int(entry.get("part_size", 1)), 1)
    if layer.type == "Loop":
        limit, condition = ([by_port.get(port) for port in layer.inputs[:2]] + [None] * 2)[:2]
        if limit is None or limit.array is None:
            raise UnsupportedOpError(
                "a loop runs as often as its data say, or as a constant of the absent .bin says, "
                "so it has no fixed latency"
            )
        stated = int(limit.array.reshape(-1)[0])
        if condition is not None and not _holds(condition):
            stated = 0
        if count is None and not 0 <= stated <= MAX_TURNS:
            # As long as the condition holds.
            return MAX_TURNS + 1
        count = stated if stated >= 0 else count
    if count is None or not 0 < count <= MAX_TURNS:
        raise UnsupportedOpError(f"a loop runs {count} times; 1 to {MAX_TURNS} are accepted")
    return count


def _holds(condition: Value) -> bool:
    """Whether a loop goes on; a constant of the absent .bin is taken for true, as all converters write it."""
    if not condition.is_constant:
        raise UnsupportedOpError("a loop runs as long as its data say, so it has no fixed latency")
    return condition.array is None or bool(condition.array.any())


def _part(walk: Walk, layer: Layer, source: Value, axis: int, turns: int) -> Value:
    shape: Shape = (*source.shape[:axis], source.shape[axis] // turns, *source.shape[axis + 1 :])
    if source.is_constant:
        return Value(shape)
    attrs = {"axes": (axis,), "starts": (0,), "steps": (1,)}
    return walk.emit(layer, Step("slice", (source,), attrs, (shape,)))[0]


def _joined(walk: Walk, layer: Layer, parts: list[Value], axis: int) -> Value:
    first = parts[0].shape
    shape = (*first[:axis], sum(part.shape[axis] for part in parts), *first[axis + 1 :])
    if len(parts) == 1 or all(part.is_constant for part in parts):
        return parts[0]._replace(shape=shape)
    return walk.emit(layer, Step("concat", tuple(parts), {"axis": axis}, (shape,)))[0]
