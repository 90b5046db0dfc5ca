"""Walk an ONNX graph: every tensor gets a shape, constants are evaluated, the rest becomes Nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from predictor_core.budget import NODES_PER_LOOK, meter
from predictor_core.errors import MALFORMED, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.common.call import FAULTS, foreign, nodes_of, refuse, values_of
from predictor_core.frontends.common.values import NotInferableError, Value, constant
from predictor_core.frontends.onnx import (
    attention,
    bounded_ops,
    contrib_ops,
    control,
    data_ops,
    dense_ops,
    image_ops,
    integer_ops,
    sequences,
)
from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.frontends.onnx.compose import Read, Steps
from predictor_core.frontends.onnx.fold import fold
from predictor_core.frontends.onnx.inputs import resolve
from predictor_core.frontends.onnx.shapes import Declared, Sizes
from predictor_core.frontends.onnx.source import (
    SourceNode,
    attribute_value,
    check_outputs,
    label,
    opset_of,
    scope_of,
    sorted_nodes,
)
from predictor_core.frontends.onnx.tensors import from_tensor
from predictor_core.ir.graph import Node, Shape
from predictor_core.ir.inputs import GivenShapes, InputShapes
from predictor_core.ir.names import Names

_HANDLERS: dict[str, Handler] = {
    **attention.HANDLERS,
    **bounded_ops.HANDLERS,
    **data_ops.HANDLERS,
    **dense_ops.HANDLERS,
    **image_ops.HANDLERS,
    **integer_ops.HANDLERS,
}
#: Rules by the domain of an op.
_DOMAINS: dict[str, dict[str, Handler]] = {
    "": _HANDLERS,
    "ai.onnx": _HANDLERS,
    "com.microsoft": {**_HANDLERS, **contrib_ops.HANDLERS},
    "com.microsoft.nchwc": contrib_ops.BLOCKED_HANDLERS,
}

#: Canonical op of a node whose shape only the file states.
_NAMES = {
    "Expand": "expand",
    "Pad": "pad",
    "Reshape": "reshape",
    "Resize": "resize",
    "Slice": "slice",
    "Squeeze": "reshape",
    "Tile": "expand",
    "Unsqueeze": "reshape",
    "Upsample": "resize",
}

#: Rules of nodes that run graphs of their own, or handle sequences of tensors.
_SPECIAL: dict[str, Callable[[Conversion, SourceNode, dict[str, Any], Sequence[Value | None]], list[Value]]]
_SPECIAL = {
    **dict.fromkeys(sequences.OPS, sequences.convert),
    "If": control.branch,
    "Loop": control.loop,
    "Scan": control.scan,
}


class ShapesUnknownError(ModelFormatError):
    """A shape depends on numbers that the file does not hold, or that are computed at run time."""


class Conversion:
    """One walk over the graph of a model.

    Parameters
    ----------
    model : ModelProto
        Not changed. Payloads of large tensors are not looked at and may be absent.
    input_shape : optional
        See `predictor_core.frontends.onnx.load`.
    """

    def __init__(self, model: Any, input_shape: GivenShapes) -> None:
        graph = model.graph
        self.opset = opset_of(model)
        self.nodes: list[Node] = []
        self.depth = 0
        self.values: dict[str, Value] = {}
        nodes = [SourceNode(node) for node in graph.node[:]]
        self.read = {info.name for info in graph.output}.union(*[node.input for node in nodes])
        self.names = Names()
        self.meter = meter()
        for tensor in graph.initializer[:]:
            self.values[tensor.name] = from_tensor(tensor)
        for sparse in graph.sparse_initializer:
            self.values[sparse.values.name] = Value(tuple(sparse.dims))
        inputs = [info for info in graph.input if info.name not in self.values]
        given = InputShapes(input_shape, [str(info.name) for info in inputs], channels_last=False)
        shapes = resolve(inputs, given)
        self._warnings = given.warnings
        self.declared = Declared(model, shapes, given)
        for name, shape in shapes.items():
            own = self.names.fresh(str(name))
            self.nodes.append(Node(own, "input", outputs=(shape,)))
            self.values[name] = Value(shape, own)
        self.walk(nodes)
        found = (self.values.get(info.name) for info in graph.output)
        self.outputs = [value.node for value in found if value is not None and value.node is not None]
        if not self.outputs:
            raise ModelFormatError(
                "no output of the model depends on its inputs; there is nothing to predict"
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What had to be assumed, each once."""
        return tuple(dict.fromkeys(self._warnings))

    def walk(self, nodes: Sequence[SourceNode]) -> None:
        """Convert nodes in order; a file that has them in another order is sorted first."""
        check_outputs(nodes)
        # An optional input that is not given has no name.
        known = {"", *self.values}
        for node in nodes:
            if not known.issuperset(node.input):
                nodes = sorted_nodes(nodes, set(self.values))
                break
            known.update(node.output)
        self.meter.spend(nodes=sum([1 + len(node.output) for node in nodes]))
        for place, node in enumerate(nodes):
            if not place % NODES_PER_LOOK:
                self.meter.look()
            try:
                self.convert(node)
            except MALFORMED as error:
                refuse(error, label(node), node.op_type)

    def convert(self, node: SourceNode) -> None:
        """Convert one node: to constants, to the nodes of a branch that is taken, or to Nodes."""
        op = node.op_type
        attrs: dict[str, Any] = {}
        subgraphs = False
        for attribute in node.attribute:
            kind = attribute.type
            attrs[attribute.name] = attribute_value(attribute, kind)
            subgraphs = subgraphs or kind in (5, 10)
        inputs = [self.values[name] if name else None for name in node.input]
        own = node.domain in _DOMAINS
        special = _SPECIAL.get(op) if own else None
        if special is not None:
            try:
                self.values.update(zip(node.output, special(self, node, attrs, inputs)))
            except FAULTS as error:
                refuse(error, label(node), op, inside=True)
            return
        if subgraphs:
            raise UnsupportedOpError(
                f"node {label(node)!r} ({op}) has a subgraph that is chosen or repeated at run time; "
                "such control flow has no fixed latency: export the model without it"
            )
        constants = self.constants(op, attrs, inputs) if own else None
        if constants is None:
            self.append(node, attrs, inputs)
        else:
            self.values.update(zip(node.output, constants))

    def emit(self, node: SourceNode, step: Step) -> list[Value]:
        """Append one Node for a node; return what it makes."""
        return values_of(self._add(node, [step])[-1])

    def _add(self, node: SourceNode, steps: Sequence[Step]) -> list[Node]:
        """Append the Nodes of a node, and return them."""
        name = self.names.fresh(str(node.name or f"{node.op_type}_{len(self.nodes)}"))
        made = nodes_of(steps, name, self.names, scope_of(node))
        self.nodes += made
        return made

    def constants(self, op: str, attrs: dict[str, Any], inputs: Sequence[Value | None]) -> list[Value] | None:
        """Return the outputs of an op that are known numbers, or None when there are no such."""
        if op == "Constant":
            return [_constant(attrs)]
        if op in ("CastLike", "Identity") and inputs and inputs[0] is not None and inputs[0].is_constant:
            return [inputs[0]]
        if op in ("EyeLike", "RandomNormalLike", "RandomUniformLike") and inputs and inputs[0] is not None:
            return [Value(inputs[0].shape)]
        if op in ("Shape", "Size") and inputs and inputs[0] is not None:
            shape = inputs[0].shape
            if op == "Size":
                return [constant(prod(shape))]
            return [constant(shape[attrs.get("start", 0) : attrs.get("end")] if shape else [])]
        for value in inputs:
            if value is not None and value.array is None:
                return None
        folded = fold(op, [None if value is None else value.array for value in inputs], attrs)
        return None if folded is None else [constant(array) for array in folded]

    def append(self, node: SourceNode, attrs: dict[str, Any], inputs: Sequence[Value | None]) -> None:
        """Append the Nodes of an op, or note its shape where all it reads is constant."""
        op = node.op_type
        outputs = len(node.output)
        if outputs != 1 and op != "Split":
            used = [index for index, name in enumerate(node.output) if name and name in self.read]
            outputs = max(used, default=0) + 1
        call = Call(label(node), op, attrs, inputs, outputs, self.opset, self._warnings)
        steps = self.steps(node, call)
        # Nothing is computed of what has no elements.
        if 0 in steps[-1].outputs[0] or _first_tensor(inputs) is None:
            self.values.update((name, Value(shape)) for name, shape in zip(node.output, steps[-1].outputs))
            return
        if op == "DynamicQuantizeLinear":
            # The scale and the zero point, which are folded into weights.
            self.values.update((name, Value(())) for name in node.output[1:])
        made = self._add(node, steps)
        results: Sequence[Value | None] = values_of(made[-1])
        if isinstance(steps, Steps) and steps.results:
            results = [made_of(result, made) for result in steps.results]
        for output, result in zip(node.output, results):
            if result is not None:
                self.values[output] = result

    def steps(self, node: SourceNode, call: Call) -> list[Step]:
        """Return what a node becomes, by its own rule or as the file describes it."""
        handler = _DOMAINS.get(node.domain, {}).get(node.op_type)
        reason = ""
        if handler is not None:
            try:
                return call.checked(handler(call))
            except NotInferableError as error:
                reason = str(error)
        reads = tuple([value for value in call.inputs if value is not None and not value.is_constant])
        outputs = []
        for sizes in self.declared(node.message, call.inputs, call.outputs):
            shape = None if sizes is None else self.filled(sizes, call, reads)
            if shape is None and handler is not None:
                raise ShapesUnknownError(
                    f"the output shape of node {call.name!r} ({call.op}) is unknown: {reason}; "
                    "simplifying the model with onnxsim first may help"
                )
            if shape is None:
                domain = f" of the domain {node.domain!r}" if node.domain else ""
                raise UnsupportedOpError(
                    f"node {call.name!r} ({call.op}{domain}) is not supported: nothing tells the shape of "
                    "what it makes. State it in the value_info of the file, or export the model without it"
                )
            outputs.append(shape)
        name = _NAMES.get(call.op) if node.domain in _DOMAINS else None
        return call.checked(Step(name or foreign(call.op), reads, {}, tuple(outputs)))

    def filled(self, sizes: Sizes, call: Call, reads: Sequence[Value]) -> Shape | None:
        """Return a shape whose batch alone may be open: it is that of what the op reads."""
        alike = [value.shape for value in reads if len(value.shape) == len(sizes) > 1]
        if alike and sizes[0] is None:
            batch = alike[0][0]
            sizes = (batch, *sizes[1:])
            self._warnings.append(
                f"the file leaves the first dimension of {call.op} {call.name!r} open; "
                f"the {batch} of its input is taken"
            )
        known = tuple([size for size in sizes if size is not None])
        return known if len(known) == len(sizes) else None


def _first_tensor(inputs: Sequence[Value | None]) -> str | None:
    """Return the first tensor that a node reads, None where all its inputs are constants."""
    for value in inputs:
        if value is not None and value.node is not None:
            return value.node
    return None


def made_of(result: Read | None, made: Sequence[Node]) -> Value | None:
    """Return the value of a result: an input of the node, or what one of its Steps makes."""
    if result is None:
        return None
    source = result.source
    return source if isinstance(source, Value) else Value(result.shape, made[source].name)


def _constant(attrs: dict[str, Any]) -> Value:
    value = attrs.get("value")
    if isinstance(value, Value):
        return value
    for key in ("value_float", "value_int", "value_floats", "value_ints"):
        if key in attrs:
            return constant(attrs[key])
    return Value(())
