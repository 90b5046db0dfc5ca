"""Ops that stand for several: Steps one after the other, and rules of other ops on part of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from predictor_core.errors import GraphError
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import broadcast


class Read(NamedTuple):
    """A tensor while Steps are written: an input of the node, or the number of an earlier Step."""

    source: Value | int
    shape: Shape


#: Canonical op of the activations that onnxruntime merges into other ops.
_ACTIVATIONS = {
    "Clip": "clip",
    "Elu": "elu",
    "HardSigmoid": "hsigmoid",
    "HardSwish": "hswish",
    "LeakyRelu": "leakyrelu",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "ThresholdedRelu": "relu",
}


class Steps(list["Step"]):
    """Steps that an op becomes.

    Attributes
    ----------
    results : list of Read or None
        What the outputs of the op are, where that is not just the last Step; None for one that nothing
        here can say.
    """

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        super().__init__(steps)
        self.results: list[Read | None] = []

    @property
    def last(self) -> Read:
        """What the last Step makes."""
        return Read(len(self) - 1, self[-1].outputs[0])

    def add(self, op: str, output: Shape, *reads: Read, **attrs: Any) -> Read:
        """Append a Step and return what it makes; what is made of constants alone is one, too."""
        if all(isinstance(read.source, Value) and read.source.is_constant for read in reads):
            return Read(Value(output), output)
        self.append(Step(op, tuple([read.source for read in reads]), attrs, (output,)))
        return self.last

    def binary(self, op: str, first: Read, second: Read) -> Read:
        """Append an elementwise op of two operands, of which one may be a constant."""
        try:
            out = broadcast(first.shape, second.shape)
        except GraphError as error:
            raise GraphError(f"can't {op} its operands: {error}") from None
        for one, other in ((first, second), (second, first)):
            if isinstance(one.source, Value) and one.source.is_constant:
                return self.add(op, out, other, const_shape=one.shape)
        return self.add(op, out, first, second)

    def product(self, first: Read, second: Read, output: Shape) -> Read:
        """Append a matrix product, of which one operand may be a constant."""
        for one, other, place in ((first, second, True), (second, first, False)):
            if isinstance(one.source, Value) and one.source.is_constant:
                return self.add("matmul", output, other, const_shape=one.shape, const_first=place)
        return self.add("matmul", output, first, second)

    def transpose(self, x: Read, perm: Sequence[int]) -> Read:
        """Append a transpose."""
        return self.add("transpose", tuple([x.shape[axis] for axis in perm]), x, perm=tuple(perm))

    def reshape(self, x: Read, shape: Shape) -> Read:
        """Append a reshape, unless nothing changes."""
        return x if x.shape == shape else self.add("reshape", shape, x)

    def plus(self, call: Call, index: int) -> None:
        """Append the sum of the last result and an input, where that is there."""
        if call.has(index):
            self.binary("add", self.last, read(call, index))

    def activate(self, call: Call) -> None:
        """Append the activation that an attribute names, if any."""
        name = call.attrs.get("activation", "")
        if name:
            if name not in _ACTIVATIONS:
                raise call.error(f"the activation {name!r} is not known")
            self.add(_ACTIVATIONS[name], self.last.shape, self.last)


def read(call: Call, index: int = 0) -> Read:
    """Return an input that must be there."""
    value = call.value(index)
    return Read(value, value.shape)


def rule(handler: Handler, call: Call, inputs: Sequence[Value | None], **attrs: Any) -> Steps:
    """Return the Steps of the rule of another op.

    Parameters
    ----------
    handler : callable
        That rule.
    call : Call
        The node; its attributes hold, too.
    inputs : sequence of Value or None
        The inputs of the other op.
    **attrs
        Attributes that differ.
    """
    steps = handler(call.like(inputs, attrs))
    return steps if isinstance(steps, Steps) else Steps(steps if isinstance(steps, list) else [steps])


def picked(handler: Handler, *indices: int) -> Callable[[Call], Steps]:
    """Return the rule of an op that is another one on some of its inputs."""

    def run(call: Call) -> Steps:
        return rule(handler, call, pick(call, *indices))

    return run


def pick(call: Call, *indices: int) -> list[Value | None]:
    """Return some inputs; None for those that are not given."""
    return [call.inputs[index] if index < len(call.inputs) else None for index in indices]


def on_channels_last(handler: Handler, call: Call) -> Steps:
    """Return the Steps of a rule for channels-first images on a node whose image has its channels last."""
    x = read(call)
    rank = len(x.shape)
    steps = Steps()
    turned = steps.transpose(x, (0, rank - 1, *range(1, rank - 1)))
    channels_first = Value(turned.shape, call.value(0).node)
    for step in rule(handler, call, [channels_first, *call.inputs[1:]]):
        reads = [
            0 if source is channels_first else source + 1 if isinstance(source, int) else source
            for source in step.reads
        ]
        steps.append(step._replace(reads=tuple(reads)))
    steps.transpose(steps.last, (0, *range(2, rank), 1))
    return steps
