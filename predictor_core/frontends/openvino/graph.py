"""Walk an OpenVINO network: constants are folded, bodies inlined, the rest becomes Nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from predictor_core.errors import GraphError
from predictor_core.frontends.common.call import FAULTS, refuse, tensors_of
from predictor_core.frontends.common.values import NotInferableError, Value, constant
from predictor_core.frontends.common.walk import READ_BYTES, BaseWalk
from predictor_core.frontends.onnx.fold import fold
from predictor_core.frontends.openvino import data_ops, image_ops, loops, stated, version7
from predictor_core.frontends.openvino.call import Call, Handler, Step
from predictor_core.frontends.openvino.document import Layer, Network
from predictor_core.frontends.openvino.weights import Weights, dtype_of, most_read
from predictor_core.ir.graph import Node, Shape
from predictor_core.ir.inputs import GivenShapes

_HANDLERS: dict[str, Handler] = {**data_ops.HANDLERS, **image_ops.HANDLERS}
#: Layers that a quantised model has and its float original has not.
_QUANTISING = frozenset({"FakeQuantize", "FakeConvert", "Quantize"})
_FREE = frozenset({"Convert", "ConvertLike", "Copy", "Identity"})
_INPUTS = frozenset({"Parameter", "Input"})
_STATES = frozenset({"ReadValue", "Memory"})

#: Layers that may have a bias, and where what they become has its channels.
_PRODUCTS = frozenset({"Convolution", "GroupConvolution", "MatMul"})
_CHANNEL_AXES = {"conv": 1, "conv3d": 1, "fc": -1}

#: The outputs of a layer by their ports.
Outputs = dict[str, Value]


class Walk(BaseWalk):
    """One walk over a network.

    Parameters
    ----------
    weights : Weights
        Where small constants are read from.
    input_shape : optional
        See `predictor_core.ir.inputs.InputShapes`.
    """

    def __init__(self, weights: Weights, input_shape: GivenShapes) -> None:
        super().__init__(input_shape)
        self._weights = weights

    def run(self, network: Network) -> list[str]:
        """Walk the network of a model; return the tensors that it gives."""
        values = self.walk(network, {}, 0)
        self._given.check_all_used()
        read = set(network.sources.values())
        found = []
        for layer in network.layers:
            ident = layer.ident
            # What is kept for the next run is computed, too.
            if layer.type in ("Result", "Assign"):
                found += [source for port in layer.inputs if (source := network.sources.get((ident, port)))]
            elif layer.outputs and read.isdisjoint([(ident, port) for port in layer.outputs]):
                # Version 7 has no results: what nothing reads is one.
                found.append((ident, layer.outputs[0]))
        return tensors_of(values[ident][port] for ident, port in found if port in values.get(ident, {}))

    def walk(self, network: Network, given: Mapping[str, Value], depth: int) -> dict[str, Outputs]:
        """Convert the layers of a network; `given` are the values of the inputs of a body by layer."""
        # A loop may turn often around an empty body.
        self._meter.look()
        values: dict[str, Outputs] = {}
        sources, spend = network.sources, self._meter.spend
        for layer in network.ordered():
            spend(1 + len(layer.outputs), READ_BYTES * len(layer.inputs))
            try:
                inputs = [_source(sources, values, layer.ident, port) for port in layer.inputs]
                if layer.ident in given and layer.type in _INPUTS:
                    values[layer.ident] = dict.fromkeys(layer.outputs, given[layer.ident])
                    continue
                biased = self._biased(network, layer, inputs) if layer.type == "Add" else None
                if biased is None:
                    values[layer.ident] = self._convert(layer, inputs, depth)
                else:
                    values[layer.ident] = {layer.outputs[0]: biased}
            except FAULTS as error:
                refuse(error, layer.name, layer.type, kind="layer", inside=True)
        return values

    def _convert(self, layer: Layer, inputs: list[Value | None], depth: int) -> Outputs:
        special = _SPECIAL.get(layer.type)
        if special is not None:
            return special(self, layer, inputs, depth)
        call = Call(layer, inputs)
        if layer.type in _FREE or layer.type in _QUANTISING:
            return {layer.outputs[0]: self._same(call)}
        if layer.type in _STATES:
            return {
                port: self._state(layer, _known(shape, inputs))
                for port, shape in zip(layer.outputs, layer.shapes)
            }
        found = self._constants(call)
        if found is None:
            steps = self._steps(call)
            shapes = steps[-1].outputs
            # A tensor without elements, such as the empty state of a decoder, takes no time.
            if all(value is None or value.node is None for value in inputs) or all(map(_is_empty, shapes)):
                found = [Value(shape) for shape in shapes]
            else:
                found = self.append(call, steps)
        return dict(zip(layer.outputs, found))

    def _state(self, layer: Layer, shape: Shape) -> Value:
        """Return what a run of the model leaves for the next one: an input that the user does not give."""
        if _is_empty(shape):
            return Value(shape)
        return self.add_input(layer.name, shape)

    def _same(self, call: Call) -> Value:
        """Return the value that a conversion of types passes on."""
        value = call.value()
        if call.op in _QUANTISING:
            self.quantised = True
        if value.is_constant:
            dtype = dtype_of(call.text("destination_type", "f32"))
            array = value.array
            with np.errstate(all="ignore"):
                return Value(value.shape, None, array.astype(dtype) if array is not None and dtype else array)
        return value

    def _biased(self, network: Network, layer: Layer, inputs: Sequence[Value | None]) -> Value | None:
        """Return the sum of a conv or fc and its bias, which IR writes as a layer, or None for another sum.

        The pass that folds biases would do the same with a node more.
        """
        if len(inputs) != 2 or not self.nodes:
            return None
        value, bias = inputs
        last = self.nodes[-1]
        axis = _CHANNEL_AXES.get(last.op)
        if axis is None or value is None or value.node != last.name or bias is None or not bias.is_constant:
            return None
        of_each_channel = [1] * len(value.shape)
        of_each_channel[axis] = value.shape[axis]
        # A single number may be part of an activation.
        if value.shape[axis] == 1 or list(bias.shape) != of_each_channel:
            return None
        product = network.read_alone(layer.ident, layer.inputs[0])
        if product is None or product.type not in _PRODUCTS:
            return None
        self.nodes[-1] = Node(last.name, last.op, last.inputs, {**last.attrs, "bias": True}, last.outputs)
        return value

    def _constants(self, call: Call) -> list[Value] | None:
        """Return the outputs of a layer that are known numbers, or None when there are no such."""
        if call.op == "ShapeOf":
            return [constant(np.array(call.shape(), dtype=np.int64))]
        for value in call.inputs:
            if value is not None and value.array is None:
                return None
        if call.op == "Range":
            arrays = [None if value is None else value.array for value in call.inputs]
            folded = fold("Range", arrays, {})
            return None if folded is None else [constant(array) for array in folded]
        arrange = data_ops.ARRANGED.get(call.op)
        if arrange is None:
            return None
        op, inputs, attrs = arrange(call)
        read = call.inputs if inputs is None else inputs
        folded = fold(op, [None if value is None else value.array for value in read], attrs)
        return None if folded is None else [constant(array) for array in folded]

    def _steps(self, call: Call) -> list[Step]:
        """Return what a layer becomes, by its own rule or as the file describes it."""
        layer = call.layer
        handler = version7.HANDLERS.get(call.op) if not layer.version else _HANDLERS.get(call.op)
        try:
            if handler is None:
                raise NotInferableError(f"{call.op} is not a known op")
            return call.checked(handler(call))
        except NotInferableError as error:
            shapes = stated.shapes(call)
            if not shapes:
                raise NotInferableError(
                    f"{error}, and its stated shape is open; is the .bin file there?"
                ) from error
            return call.checked(stated.steps(call, shapes))

    def emit(self, layer: Layer, step: Step) -> list[Value]:
        """Append a Node on behalf of a layer."""
        return self.append(Call(layer, ()), [step])

    def _input(self, layer: Layer, inputs: list[Value | None], depth: int) -> Outputs:
        if depth:
            raise GraphError("nothing is handed to this input of a body")
        (port,) = layer.outputs
        return {port: self.add_input(layer.name, self._given.resolve(layer.name, layer.shapes[0]))}

    def _constant(self, layer: Layer, inputs: list[Value | None], depth: int) -> Outputs:
        (port,) = layer.outputs
        shape = layer.constant_shape
        if prod(shape) > most_read(layer.element_type):
            return {port: Value(shape)}
        span = layer.span()
        array = None if span is None else self._weights.read(*span, shape, layer.element_type)
        return {port: Value(shape, None, array)}

    def _nothing(self, layer: Layer, inputs: list[Value | None], depth: int) -> Outputs:
        return {}


_SPECIAL: dict[str, Callable[[Walk, Layer, list[Any], int], Outputs]] = {
    **dict.fromkeys(_INPUTS, Walk._input),
    **dict.fromkeys(("Const", "Constant"), Walk._constant),
    **dict.fromkeys(("Result", "Assign", "Sink"), Walk._nothing),
    **dict.fromkeys(("Loop", "TensorIterator"), loops.unroll),
    "If": loops.branch,
}


def _source(
    sources: Mapping[tuple[str, str], tuple[str, str]], values: Mapping[str, Outputs], ident: str, port: str
) -> Value | None:
    """Return what an input port of a layer reads; None where nothing is attached."""
    source = sources.get((ident, port))
    if source is None:
        return None
    made = values.get(source[0])
    if made is None or source[1] not in made:
        raise GraphError(f"input {port} reads output {source[1]} of layer {source[0]!r}, which is not there")
    return made[source[1]]


def _is_empty(shape: Shape) -> bool:
    return 0 in shape


def _known(shape: Shape, inputs: Sequence[Value | None]) -> Shape:
    """Return the shape of a state: as stated, or that of its initial value."""
    if min(shape, default=1) > 0:
        return shape
    initial = next((value for value in inputs if value is not None), None)
    if initial is None:
        raise NotInferableError("the state has an open shape and no initial value")
    return initial.shape
