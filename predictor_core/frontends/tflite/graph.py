"""Walk a TensorFlow Lite model: constants are folded, subgraphs inlined, the rest becomes Nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.common.call import FAULTS, refuse, tensors_of
from predictor_core.frontends.common.values import NotInferableError, Value, constant
from predictor_core.frontends.common.walk import READ_BYTES, BaseWalk
from predictor_core.frontends.tensorflow.fold import constants
from predictor_core.frontends.tensorflow.order import input_name
from predictor_core.frontends.tensorflow.special_ops import unpack
from predictor_core.frontends.tflite import custom_ops, data_ops, image_ops, sequence_ops
from predictor_core.frontends.tflite.call import Call, Handler, Step
from predictor_core.frontends.tflite.model import Model, Operator, Subgraph, Tensor
from predictor_core.frontends.tflite.schema import DTYPES, QUANTISED
from predictor_core.ir.inputs import GivenShapes

#: Most calls inside of calls.
MAX_DEPTH = 64

_HANDLERS: dict[str, Handler] = {
    **data_ops.HANDLERS,
    **image_ops.HANDLERS,
    **sequence_ops.HANDLERS,
}
#: What the runtime does on the way into and out of integers; a float model does not have it.
_CONVERSIONS = frozenset({"DEQUANTIZE", "QUANTIZE", "FAKE_QUANT", "DENSIFY", "BITCAST"})


class Walk(BaseWalk):
    """One walk over a model.

    Parameters
    ----------
    model : Model
        The model.
    input_shape : optional
        See `predictor_core.ir.inputs.InputShapes`.

    Attributes
    ----------
    free : list of str
        Names of operators that cost nothing.
    tensors : dict of str to str
        Nodes, and what the file calls the tensors that they write.
    """

    def __init__(self, model: Model, input_shape: GivenShapes) -> None:
        super().__init__(input_shape)
        self.model = model
        self.free: list[str] = []
        self.tensors: dict[str, str] = {}
        self._variables: dict[str, Value] = {}
        self._as_stated = True

    def run(self, subgraph: int, names: dict[int, str]) -> list[str]:
        """Walk a subgraph whose inputs have the given names; return the tensors that it gives."""
        graph = self.model.subgraph(subgraph)
        inputs = []
        for index in graph.inputs:
            tensor = _tensor(graph, index)
            name = names.get(index) or input_name(tensor.name) or f"input_{index}"
            shape = self._given.resolve(name, tensor.signature)
            self._as_stated = self._as_stated and shape == tensor.shape
            inputs.append(self.add_input(name, shape))
        self._given.check_all_used()
        # What is kept for the next call is computed, too.
        return tensors_of((*self._inline(subgraph, inputs, 0), *self._variables.values()))

    def _inline(self, index: int, inputs: Sequence[Value], depth: int) -> list[Value]:
        """Convert the operators of a subgraph; return the values of its outputs."""
        if depth > MAX_DEPTH:
            raise ModelFormatError(f"subgraphs of the model call each other more than {MAX_DEPTH} deep")
        # A loop may turn often around an empty subgraph.
        self._meter.look()
        graph = self.model.subgraph(index)
        if len(inputs) != len(graph.inputs):
            raise GraphError(
                f"gives {len(inputs)} inputs to subgraph {index}, which takes {len(graph.inputs)}"
            )
        values: dict[int, Value] = dict(zip(graph.inputs, inputs))
        for operator in graph.operators:
            self._meter.spend(1 + len(operator.outputs), READ_BYTES * len(operator.inputs))
            operator.name = operator.name or _name(graph, operator)
            try:
                read = [
                    None if place == -1 else self._value(graph, values, place) for place in operator.inputs
                ]
                written = self._convert(Call(operator, read), graph, depth)
            except FAULTS as error:
                refuse(error, operator.name, _label(operator), inside=depth > 0)
            values.update(zip(operator.outputs, written))
            for place, value in zip(operator.outputs, written):
                if value.node:
                    self.tensors.setdefault(value.node, _tensor(graph, place).file_name)
        return [self._value(graph, values, place) for place in graph.outputs]

    def _value(self, graph: Subgraph, values: dict[int, Value], place: int) -> Value:
        """Return a tensor that is known by now: an input, an output of an earlier operator, a constant."""
        found = values.get(place)
        if found is None:
            tensor = _tensor(graph, place)
            known, array = tensor.constant()
            if not known and 0 not in tensor.shape:
                raise GraphError(f"reads tensor {place} ({tensor.name!r}), which nothing made before")
            found = values[place] = Value(tensor.shape, None, array)
        return found

    def _convert(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        operator = call.node
        call.op = data_ops.NAMES.get(operator.op, operator.op)
        special = _SPECIAL.get(operator.op)
        if special is not None:
            return special(self, call, graph, depth)
        if not self.quantised and _in_integers(graph, operator):
            self.quantised = True
        known = all(value is None or value.is_constant for value in call.inputs)
        call.inputs = data_ops.arranged(operator, call.inputs)
        steps = partial(self._steps, call, graph)
        return constants(call, steps) if known else self.emit(call, steps())

    def _steps(self, call: Call, graph: Subgraph) -> list[Step]:
        """Return what an operator becomes, by its own rule or as the file describes it."""
        operator = call.node
        handler = _HANDLERS.get(operator.op)
        if operator.op == "CUSTOM":
            handler = custom_ops.HANDLERS.get(operator.custom)
        try:
            if handler is None:
                raise NotInferableError(f"{_label(operator)} is not a known op")
            return call.checked(handler(call))
        except NotInferableError:
            shapes = tuple([self._stated(_tensor(graph, place)) for place in operator.outputs])
            if not shapes or None in shapes:
                raise
            op = custom_ops.canonical(operator.custom) or call.op
            reads = tuple([value for value in call.inputs if value is not None and not value.is_constant])
            return call.checked(Step(op, reads, {}, shapes))

    def _stated(self, tensor: Tensor) -> Any:
        """Return the shape that the file states for a tensor; None where it depends on the inputs or data."""
        if min(tensor.shape, default=1) < 1:
            return None
        closed = min(tensor.signature, default=1) > 0 or min(tensor.signature[1:], default=1) > 0
        return tensor.shape if closed and self._as_stated else None

    def emit(self, call: Call, steps: list[Step]) -> list[Value]:
        """Write the Nodes of an op; return what it gives."""
        if any(0 in shape for shape in steps[-1].outputs):
            # The part of a list that a loop has not filled yet.
            return [Value(shape) for shape in steps[-1].outputs]
        return self.append(call, steps)

    def _same(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        value = call.value()
        if value.is_constant:
            return [Value(value.shape, None, value.array)]
        self.quantised = self.quantised or call.op in ("QUANTIZE", "DEQUANTIZE")
        self.free.append(call.name)
        return [value]

    def _shape(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        shape = call.shape()
        return [constant(len(shape) if call.op == "RANK" else np.array(shape, dtype=np.int64))]

    def _cast(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        value = call.value()
        if not value.is_constant:
            self.free.append(call.name)
            return [value]
        dtype = DTYPES.get(_tensor(graph, call.node.outputs[0]).type)
        if value.array is None or dtype is None:
            return [Value(value.shape)]
        with np.errstate(all="ignore"):
            return [constant(value.array.astype(dtype))]

    def _broadcast_args(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        return [constant(np.broadcast_shapes(call.ints(0), call.ints(1)))]

    def _if(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        condition, *rest = _given(call)
        if condition.array is None:
            raise UnsupportedOpError("which branch runs depends on data, so it has no fixed latency")
        taken = "then_subgraph" if condition.array.any() else "else_subgraph"
        return self._inline(call.node.integer(taken), rest, depth + 1)

    def _while(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        """Unroll a loop whose count is known in advance."""
        condition, body = call.node.integer("cond_subgraph"), call.node.integer("body_subgraph")
        return self.unrolled(
            call.name,
            _given(call),
            lambda values: self._inline(condition, values, depth + 1)[0],
            lambda values: self._inline(body, values, depth + 1),
        )

    def _call(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        return self._inline(call.node.integer("subgraph"), _given(call), depth + 1)

    def _nothing(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        """Set something up once; runs of the model do not pay for it."""
        return [Value(())] * len(call.node.outputs)

    def _handle(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        return [Value((), None, np.array(call.node.string("shared_name") or call.name))]

    def _assign(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        handle, value = _given(call)
        self._variables[str(handle.array)] = value
        return []

    def _read(self, call: Call, graph: Subgraph, depth: int) -> list[Value]:
        (handle,) = _given(call)
        name = str(handle.array)
        found = self._variables.get(name)
        if found is None:
            found = Value(_tensor(graph, call.node.outputs[0]).shape)
            if depth == 0 and call.node.inputs[0] in graph.assigned and min(found.shape, default=1) > 0:
                # What a call of the model leaves for the next one: an input that the user does not give.
                found = self.add_input(call.name, found.shape)
            self._variables[name] = found
        return [found]


_SPECIAL: dict[str, Callable[[Walk, Call, Subgraph, int], list[Value]]] = {
    **dict.fromkeys(_CONVERSIONS, Walk._same),
    **dict.fromkeys(("SHAPE", "RANK"), Walk._shape),
    **dict.fromkeys(("CAST", "STABLEHLO_CONVERT"), Walk._cast),
    **dict.fromkeys(("CALL", "STABLEHLO_COMPOSITE"), Walk._call),
    **dict.fromkeys(("CALL_ONCE", "HASHTABLE", "HASHTABLE_IMPORT"), Walk._nothing),
    "ASSIGN_VARIABLE": Walk._assign,
    "BROADCAST_ARGS": Walk._broadcast_args,
    "IF": Walk._if,
    "READ_VARIABLE": Walk._read,
    "UNPACK": lambda walk, call, graph, depth: unpack(walk.emit, call),
    "VAR_HANDLE": Walk._handle,
    "WHILE": Walk._while,
}


def _given(call: Call) -> list[Value]:
    found = [value for value in call.inputs if value is not None]
    if len(found) < len(call.inputs):
        raise GraphError("lacks one of its inputs")
    return found


def _tensor(graph: Subgraph, place: int) -> Tensor:
    if not 0 <= place < len(graph.tensors):
        raise GraphError(f"reads or writes tensor {place}; the subgraph has {len(graph.tensors)}")
    return graph.tensors[place]


def _in_integers(graph: Subgraph, operator: Operator) -> bool:
    """Whether an operator reads and writes quantised numbers."""
    places = [*operator.inputs[:1], *operator.outputs[:1]]
    return len(places) == 2 and all(_tensor(graph, place).type in QUANTISED for place in places if place >= 0)


def _name(graph: Subgraph, operator: Operator) -> str:
    """Return what messages and reports call an operator: its first output, as the converter named it."""
    named = _tensor(graph, operator.outputs[0]).name if operator.outputs else ""
    return named or _label(operator).lower()


def _label(operator: Operator) -> str:
    return operator.custom or operator.op
