"""What the conversion of one node of a source graph reads and gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from predictor_core.errors import MALFORMED, GraphError, ModelFormatError, PredictorError, UnsupportedOpError
from predictor_core.frontends.common.values import Array, NotInferableError, Value, as_ints, make_value
from predictor_core.ir.graph import MAX_RANK, Node, Shape, check_rank, make_node
from predictor_core.ir.names import Names


class Step(NamedTuple):
    """A Node in the making: canonical op, what it reads, attributes and output shapes as the source has them.

    Where an op becomes several Steps, a number among the reads stands for the output of that Step.
    """

    op: str
    reads: Sequence[Value | int]
    attrs: Mapping[str, Any]
    outputs: tuple[Shape, ...]


def nodes_of(steps: Sequence[Step], name: str, names: Names, scope: str = "") -> list[Node]:
    """Return the Nodes of the Steps of one op: the last has its name, those before it numbered ones."""
    made: list[Node] = []
    for index, (op, sources, attrs, outputs) in enumerate(steps, 1):
        own = name if index == len(steps) else names.fresh(f"{name}.{index}")
        tensors = []
        for read in sources:
            # Some rules hand on an optional input that is not given.
            tensor = made[read].name if isinstance(read, int) else None if read is None else read.node
            if tensor is not None:
                tensors.append(tensor)
        made.append(make_node((own, op, tuple(tensors), attrs, outputs, scope)))
    return made


def values_of(node: Node) -> list[Value]:
    """Return the values that a Node makes."""
    name, _, _, _, outputs, _ = node
    if len(outputs) == 1:
        return [make_value((outputs[0], name, None))]
    return [Value(shape, tensor) for tensor, shape in zip(node.tensors, outputs)]


def tensors_of(values: Iterable[Value]) -> list[str]:
    """Return the tensors of the outputs of a model, each once.

    Raises
    ------
    ModelFormatError
        When all of them are constants.
    """
    found = list(dict.fromkeys([value.node for value in values if value.node]))
    if not found:
        raise ModelFormatError("no output of the model depends on its inputs; there is nothing to predict")
    return found


def foreign(op: str) -> str:
    """Return the name of an op that has no rule, as a Graph has it: never that of a canonical op."""
    return f"custom:{op}" if op[:1].islower() or op == "Einsum" else op


#: What the conversion of a node raises.
FAULTS = (PredictorError, NotInferableError, *MALFORMED)


def refuse(error: Exception, node: str, op: str, *, kind: str = "node", inside: bool = False) -> NoReturn:
    """Raise one of `FAULTS` as an error that names the node; one that names it already stays as it is.

    Parameters
    ----------
    error : Exception
        What the conversion of the node has raised.
    node, op : str
        As messages call the node.
    kind : str
        What the format calls a node.
    inside : bool
        The node calls or lies in another graph, and an error that names any node stays as it is.

    Raises
    ------
    PredictorError
    """
    text = str(error)
    if isinstance(error, PredictorError):
        if repr(node) in text or (inside and ("node '" in text or "layer '" in text)):
            raise error
        raise type(error)(f"{kind} {node!r} ({op}): {text}") from error
    if isinstance(error, NotInferableError):
        raise UnsupportedOpError(
            f"the output shape of {kind} {node!r} ({op}) can't be told: {text}"
        ) from error
    raise GraphError(f"{kind} {node!r} ({op}) is malformed: {type(error).__name__}: {text}") from error


class BaseCall:
    """One node of a source graph with its inputs known.

    Parameters
    ----------
    name, op : str
        As messages call the node.
    inputs : sequence of Value or None
        None stands for an optional input that is not given.
    """

    __slots__ = ("inputs", "name", "op")

    def __init__(self, name: str, op: str, inputs: Sequence[Value | None]) -> None:
        self.name = name
        self.op = op
        self.inputs = inputs

    def value(self, index: int = 0) -> Value:
        """Return an input that must be there; a negative index counts from the end."""
        try:
            value = self.inputs[index]
        except IndexError:
            value = None
        if value is None:
            raise self.error(f"lacks its input {index}")
        return value

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def shape(self, index: int = 0) -> Shape:
        """Return the shape of an input that must be there."""
        return self.value(index).shape

    def array(self, index: int) -> Array:
        """Return the numbers of a constant input."""
        array = self.value(index).array
        if array is None:
            raise NotInferableError(f"its input {index} is not a known constant")
        return array

    def ints(self, index: int) -> tuple[int, ...]:
        """Return the integers of a constant input."""
        return as_ints(self.array(index))

    def checked_axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front, or refuse it."""
        if type(axis) is not int:
            raise self.error(f"axis is {axis!r}; expected a whole number")
        if not -rank <= axis < rank:
            raise self.error(f"axis {axis} is outside a tensor of {rank} dimensions")
        return axis % rank

    def step(self, op: str, output: Shape, *reads: int, **attrs: Any) -> Step:
        """Return a Step with one output that reads the given inputs (default: the first)."""
        return Step(op, tuple([self.value(index) for index in reads or (0,)]), attrs, (output,))

    def checked(self, steps: Step | list[Step]) -> list[Step]:
        """Return what a rule made of the node as a list, or refuse an output of too many dimensions."""
        listed = steps if isinstance(steps, list) else [steps]
        for step in listed:
            for shape in step.outputs:
                if len(shape) > MAX_RANK:
                    check_rank(shape, self.name, self.op)
        return listed

    def error(self, message: str) -> GraphError:
        """Return the error for a node that contradicts itself."""
        return GraphError(f"node {self.name!r} ({self.op}): {message}")


def same_shape(op: str, **attrs: Any) -> Callable[[BaseCall], Step]:
    """Return the rule of an op with one output that has the shape of its first input."""

    def rule(call: BaseCall) -> Step:
        value = call.value()
        return Step(op, (value,), {**attrs}, (value.shape,))

    return rule
