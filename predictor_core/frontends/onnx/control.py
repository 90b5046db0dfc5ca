"""Nodes with graphs of their own: the branch that is taken, and loops whose count is known, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from predictor_core.errors import GraphError, UnsupportedOpError
from predictor_core.frontends.common.call import Step
from predictor_core.frontends.common.loops import MAX_TURNS, opened, refuse_turns, tried, unrolled
from predictor_core.frontends.common.values import NotInferableError, Value, constant
from predictor_core.frontends.onnx.file import MAX_NESTED
from predictor_core.frontends.onnx.source import SourceNode, label
from predictor_core.frontends.onnx.tensors import from_tensor
from predictor_core.ir.graph import Node

if TYPE_CHECKING:
    from predictor_core.frontends.onnx.graph import Conversion

Attrs = dict[str, Any]
Inputs = Sequence["Value | None"]


class Body:
    """A graph inside of a node, ready to be walked with values for its inputs."""

    def __init__(self, walk: Conversion, node: SourceNode, graph: Any, given: int) -> None:
        if not hasattr(graph, "node"):
            raise GraphError(f"node {label(node)!r} ({node.op_type}) lacks the graph that it runs")
        if len(graph.input) != given:
            raise GraphError(
                f"node {label(node)!r} ({node.op_type}) gives {given} inputs to a graph that takes "
                f"{len(graph.input)}"
            )
        self._walk = walk
        self._node = node
        self._nodes = [SourceNode(inner) for inner in graph.node]
        self._inputs = [info.name for info in graph.input]
        self._outputs = [info.name for info in graph.output]
        self._constants = {tensor.name: from_tensor(tensor) for tensor in graph.initializer}
        walk.read.update(name for inner in self._nodes for name in inner.input)
        walk.read.update(self._outputs)

    def __call__(self, given: Sequence[Value]) -> list[Value]:
        """Walk the graph; return the values of its outputs."""
        walk, node = self._walk, self._node
        walk.depth += 1
        if walk.depth > MAX_NESTED:
            raise GraphError(f"node {label(node)!r} ({node.op_type}) is nested more than {MAX_NESTED} deep")
        # A turn of a loop may do nothing.
        walk.meter.spend(nodes=1)
        walk.values.update(self._constants)
        walk.values.update(zip(self._inputs, given))
        walk.walk(self._nodes)
        walk.depth -= 1
        for name in self._outputs:
            if name not in walk.values:
                raise GraphError(
                    f"node {label(node)!r} ({node.op_type}) returns {name!r}, which nothing makes"
                )
        return [walk.values[name] for name in self._outputs]

    def tried(self, given: list[Value]) -> list[Value]:
        """Return the values of its outputs, and leave nothing of the walk."""
        return tried(self._walk.nodes, self, given)


def branch(walk: Conversion, node: SourceNode, attrs: Attrs, inputs: Inputs) -> list[Value]:
    """Convert the branch of an ``If`` with a constant condition."""
    condition = inputs[0] if inputs else None
    if condition is None or condition.array is None:
        raise UnsupportedOpError("which branch runs is decided at run time, so it has no fixed latency")
    return Body(walk, node, attrs.get("then_branch" if condition.array.all() else "else_branch"), 0)([])


def loop(walk: Conversion, node: SourceNode, attrs: Attrs, inputs: Inputs) -> list[Value]:
    """Unroll a ``Loop``: its values are the turn, the condition, and what is handed from turn to turn."""
    body = Body(walk, node, attrs.get("body"), max(len(inputs), 2))
    given = [value for value in inputs[2:] if value is not None]
    most = inputs[0] if inputs else None
    start = inputs[1] if len(inputs) > 1 else None
    parts: list[list[Value]] = []

    def condition(values: list[Value]) -> Value:
        goes_on = values[1]
        if most is None or goes_on.array is None or not goes_on.array.all():
            return goes_on
        return Value(()) if most.array is None else constant(len(parts) < most.array.reshape(()))

    def turned(values: list[Value]) -> list[Value]:
        made = body(values)
        parts.append(made[1 + len(given) :])
        return [constant(len(parts)), *made[: 1 + len(given)]]

    first = [constant(0), constant(True) if start is None else start]
    if condition([*first, *given]).array is not None:
        given = opened(given, lambda values: body.tried([*first, *values])[1:], _state(walk, node))
    values = unrolled([*first, *given], condition, turned)[2:]
    return [*values, *(_stacked(walk, node, list(part), 0) for part in zip(*parts))]


def scan(walk: Conversion, node: SourceNode, attrs: Attrs, inputs: Inputs) -> list[Value]:
    """Unroll a ``Scan`` over the slices of its last inputs."""
    if walk.opset < 9:
        raise UnsupportedOpError("Scan is read from opset 9 on: convert it with onnx.version_converter")
    given = [value for value in inputs if value is not None]
    body = Body(walk, node, attrs.get("body"), len(given))
    count = attrs.get("num_scan_inputs", 0)
    if not 0 < count <= len(given):
        raise GraphError(f"num_scan_inputs is {count} of {len(given)} inputs")
    states, sources = given[:-count], given[-count:]
    axes = [
        axis % max(len(source.shape), 1)
        for axis, source in zip(attrs.get("scan_input_axes") or [0] * count, sources)
    ]
    turns = sources[0].shape[axes[0]]
    if turns > MAX_TURNS:
        refuse_turns()
    parts: list[list[Value]] = []

    def slices() -> list[Value]:
        return [_slice(walk, node, source, axis) for source, axis in zip(sources, axes)]

    def trial(values: list[Value]) -> list[Value]:
        return body.tried([*values, *(_without(source, axis) for source, axis in zip(sources, axes))])

    states = opened(states, trial, _state(walk, node))
    for _ in range(turns):
        made = body([*states, *slices()])
        states = made[: len(states)]
        parts.append(made[len(states) :])
    out_axes = attrs.get("scan_output_axes") or [0] * len(parts[0])
    return [
        *states,
        *(_stacked(walk, node, list(part), axis) for part, axis in zip(zip(*parts), out_axes)),
    ]


def _state(walk: Conversion, node: SourceNode) -> Callable[[Value], Value]:
    """Return what makes an input of a constant that later turns overwrite."""

    def made(value: Value) -> Value:
        name = walk.names.fresh(f"{label(node)}.state")
        walk.nodes.append(Node(name, "input", outputs=(value.shape,)))
        return Value(value.shape, name)

    return made


def _without(source: Value, axis: int) -> Value:
    """Return a slice of a tensor without recording it."""
    return Value((*source.shape[:axis], *source.shape[axis + 1 :]), source.node)


def _slice(walk: Conversion, node: SourceNode, source: Value, axis: int) -> Value:
    part = _without(source, axis)
    if source.is_constant:
        return part
    return walk.emit(node, Step("gather", (source,), {"axis": axis}, (part.shape,)))[0]


def _stacked(walk: Conversion, node: SourceNode, parts: list[Value], axis: int) -> Value:
    """Return what the turns of a loop have made, as one tensor."""
    shape = parts[0].shape
    if len({part.shape for part in parts}) > 1:
        raise NotInferableError("its turns make tensors of several shapes")
    axis %= len(shape) + 1
    out = (*shape[:axis], len(parts), *shape[axis:])
    if all(part.is_constant for part in parts):
        return Value(out)
    if len(parts) == 1:
        return walk.emit(node, Step("reshape", tuple(parts), {}, (out,)))[0]
    return walk.emit(node, Step("stack", tuple(parts), {"axis": axis}, (out,)))[0]
