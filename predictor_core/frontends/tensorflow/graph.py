"""Walk a TensorFlow graph: functions are inlined, constants are folded, the rest becomes Nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.common.call import FAULTS, foreign, refuse, tensors_of
from predictor_core.frontends.common.values import Value, constant
from predictor_core.frontends.common.walk import BaseWalk
from predictor_core.frontends.tensorflow import data_ops, image_ops, loops, special_ops, window_ops
from predictor_core.frontends.tensorflow.call import Call, Handler, Step
from predictor_core.frontends.tensorflow.fold import constants
from predictor_core.frontends.tensorflow.frames import Frame, framed, inside
from predictor_core.frontends.tensorflow.messages import BOOL, FunctionDef, GraphDef, NodeDef
from predictor_core.frontends.tensorflow.order import LOOPS, input_name, ordered, pick
from predictor_core.ir.inputs import GivenShapes

_HANDLERS: dict[str, Handler] = {**data_ops.HANDLERS, **image_ops.HANDLERS, **window_ops.HANDLERS}

#: Ops whose ``data_format`` decides the order of the dimensions of the graph.
_ORDERED = {*image_ops.HANDLERS, *window_ops.HANDLERS} - {"BatchToSpaceND", "SpaceToBatchND"}

#: Most calls inside of calls.
MAX_DEPTH = 64

#: What a node of a branch that is not taken gives.
_DEAD = Value((), "")

#: Ops that pass on what they read.
_SAME = (
    *("Cast", "CheckNumerics", "CheckNumericsV2", "DebugGradientIdentity", "EnsureShape", "Exit", "Identity"),
    *("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"),
    *("IdentityN", "PlaceholderWithDefault", "PreventGradient", "ReadVariableOp", "Snapshot", "StopGradient"),
)
_RANDOM = frozenset(
    {
        *("RandomStandardNormal", "RandomUniform", "StatelessRandomNormal", "StatelessRandomNormalV2"),
        *("StatelessRandomUniform", "StatelessRandomUniformV2", "TruncatedNormal"),
    }
)


class Walk(BaseWalk):
    """One walk over a graph.

    Parameters
    ----------
    graph : GraphDef
        The graph and its functions.
    inputs : sequence of str
        Tensors or nodes that are the inputs, in their order.
    input_shape : optional
        See `predictor_core.ir.inputs.InputShapes`.

    Attributes
    ----------
    free : list of str
        Names of nodes that cost nothing.
    orders : set of bool
        Whether channels come first, of the nodes that say so.
    """

    def __init__(self, graph: GraphDef, inputs: Sequence[str], input_shape: GivenShapes) -> None:
        super().__init__(input_shape, list(map(input_name, inputs)))
        self.graph = graph
        self.graph_nodes = framed(graph.nodes)
        self.free: list[str] = []
        self.orders: set[bool] = set()
        self._has_random = any(node.op in _RANDOM for node in graph.nodes.values())

    def run(self, wanted: Sequence[str]) -> list[str]:
        """Walk to the wanted tensors; return those of the Graph that they are."""
        if any(isinstance(node, Frame) for node in self.graph_nodes.values()):
            turning = inside(self.graph_nodes)
            wanted = [ref for ref in wanted if ref.partition(":")[0] not in turning]
        values = self.evaluate(self.graph_nodes, wanted, {}, 0)
        self._given.check_all_used()
        return tensors_of(values)

    def evaluate(
        self,
        nodes: Mapping[str, NodeDef],
        wanted: Sequence[str],
        known: Mapping[str, list[Value]],
        depth: int,
    ) -> list[Value]:
        """Return the values of tensors of one graph or function body."""
        if depth > MAX_DEPTH:
            raise ModelFormatError(f"functions of the model call each other more than {MAX_DEPTH} deep")
        values = dict(known)
        for node in ordered(nodes, wanted, values):
            self._meter.spend(nodes=1)
            inputs = [pick(values, ref) for ref in node.inputs if not ref.startswith("^")]
            try:
                values[node.name] = self._convert(Call(node, inputs), depth)
            except FAULTS as error:
                refuse(error, node.name, node.op, inside=depth > 0)
        return [pick(values, ref) for ref in wanted]

    def _convert(self, call: Call, depth: int) -> list[Value]:
        op, inputs = call.op, call.inputs
        if op == "Merge":
            alive = [value for value in inputs if value is not _DEAD]
            return [alive[0], constant(0)] if alive else [_DEAD, _DEAD]
        if _DEAD in inputs:
            return [_DEAD, _DEAD]
        special = _SPECIAL.get(op)
        if special is not None:
            return special(self, call, depth)
        if op in LOOPS:
            raise UnsupportedOpError("a loop runs as often as its data say, so it has no fixed latency")
        function = self.graph.function(op)
        if function is not None:
            return self._call(function, inputs, depth)
        if all(value.is_constant for value in inputs):
            return constants(call, partial(_steps, call))
        return self.emit(call, _steps(call))

    def emit(self, call: Call, steps: list[Step]) -> list[Value]:
        """Write the Nodes of an op; return what it gives."""
        if call.op in _ORDERED and len(steps[-1].outputs[0]) >= 4:
            self.orders.add(call.channels_first)
        return self.append(call, steps)

    def _constant_node(self, call: Call, depth: int) -> list[Value]:
        tensor = call.node.tensor()
        return [Value(tensor.shape, None, tensor.values())]

    def _variable(self, call: Call, depth: int) -> list[Value]:
        shape = call.node.shape()
        if shape is None or any(dim < 0 for dim in shape):
            raise ModelFormatError("the variable states no shape")
        return [Value(shape)]

    def _placeholder(self, call: Call, depth: int) -> list[Value]:
        node = call.node
        if node.type() == BOOL:
            # A switch between training and inference.
            return [constant(np.array(False))]
        name = input_name(node.name)
        if node.shape() is None and name not in self._given.named and self._has_random:
            # The probability of a dropout, which graphs of TensorFlow 1 take beside their data.
            self._given.warnings.append(
                f"input {name!r} states no shape; it is taken for a number, such as the rate of a dropout, "
                "that does not change the latency (input_shape gives it another shape)"
            )
            return [Value(())]
        return [self.add_input(name, self._given.resolve(name, node.shape()))]

    def _same(self, call: Call, depth: int) -> list[Value]:
        value = call.value()
        if not value.is_constant:
            self.free.append(call.name)
        elif call.op == "Cast" and value.array is not None:
            return constants(call, partial(_steps, call))
        return list(call.inputs)

    def _switch(self, call: Call, depth: int) -> list[Value]:
        data, condition = call.inputs
        return [_DEAD, data] if _holds(condition) else [data, _DEAD]

    def _if(self, call: Call, depth: int) -> list[Value]:
        condition, *rest = call.inputs
        taken = "then_branch" if _holds(condition) else "else_branch"
        return self.call(call.node.function(taken), rest, depth)

    def _partitioned(self, call: Call, depth: int) -> list[Value]:
        return self.call(call.node.function(), call.inputs, depth)

    def call(self, name: str, inputs: Sequence[Value], depth: int) -> list[Value]:
        """Return what a function of the graph gives."""
        function = self.graph.function(name)
        if function is None:
            raise ModelFormatError(f"calls the function {name!r}, which the model does not have")
        return self._call(function, inputs, depth)

    def _call(self, function: FunctionDef, inputs: Sequence[Value], depth: int) -> list[Value]:
        if len(inputs) != len(function.arguments):
            raise GraphError(f"gives {len(inputs)} arguments to a function of {len(function.arguments)}")
        # What is handed over costs time too; a function of a model has tens of arguments.
        self._meter.spend(nodes=(len(inputs) + len(function.results)) // 2)
        wanted = [function.returned.get(name, name) for name in function.results]
        arguments = {name: [value] for name, value in zip(function.arguments, inputs)}
        for name, (value,) in arguments.items():
            if name in function.assigned and value.is_constant:
                # What a call of the model leaves for the next one: an input that the user does not give.
                arguments[name] = [self.add_input(name, value.shape)]
        return self.evaluate(function.nodes, wanted, arguments, depth + 1)


_SPECIAL: dict[str, Callable[[Walk, Call, int], list[Value]]] = {
    **dict.fromkeys(_SAME, Walk._same),
    **dict.fromkeys(("VarHandleOp", "Variable", "VariableV2"), Walk._variable),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), Walk._partitioned),
    **dict.fromkeys(("Shape", "ShapeN", "Size", "Rank"), special_ops.shape),
    **dict.fromkeys(("If", "StatelessIf"), Walk._if),
    **dict.fromkeys(("NoOp", "Assert"), special_ops.nothing),
    "Const": Walk._constant_node,
    "Erfc": special_ops.erfc,
    **dict.fromkeys(_RANDOM, special_ops.random),
    **dict.fromkeys(("While", "StatelessWhile"), loops.loop),
    "Enter": loops.frame,
    "Placeholder": Walk._placeholder,
    "Switch": Walk._switch,
    "TensorArrayGatherV3": loops.of_array(loops.stack, 2),
    "TensorArrayReadV3": loops.of_array(loops.get_item, 2, 1),
    "TensorArrayScatterV3": loops.of_array(loops.from_tensor, 2),
    "TensorArraySizeV3": loops.of_array(loops.array_size, 1),
    "TensorArrayV3": loops.array,
    "TensorArrayWriteV3": loops.of_array(loops.set_item, 3, 1, 2),
    "TensorListFromTensor": loops.from_tensor,
    "TensorListGetItem": loops.get_item,
    "TensorListReserve": loops.reserve,
    "TensorListSetItem": loops.set_item,
    "TensorListStack": loops.stack,
    "Unpack": lambda walk, call, depth: special_ops.unpack(walk.emit, call),
}


def _holds(condition: Value) -> bool:
    """Whether the branch runs that is for true."""
    if condition.array is None:
        raise UnsupportedOpError("which branch runs depends on data, so it has no fixed latency")
    return bool(condition.array.any())


def _steps(call: Call) -> list[Step]:
    """Return what a node becomes, by its own rule or as the file describes it."""
    handler = _HANDLERS.get(call.op)
    if handler is not None:
        return call.checked(handler(call))
    shapes = call.node.shapes("_output_shapes")
    known = tuple([shape for shape in shapes if shape is not None and min(shape, default=1) > 0])
    if not known or len(known) < len(shapes):
        raise UnsupportedOpError("the op is not known, and the file does not state its output shape")
    return [Step(foreign(call.op), tuple(call.inputs), {}, known)]
