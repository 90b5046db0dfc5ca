"""What walks over source graphs share: the Nodes so far, their names, the given shapes, loops, the meter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from predictor_core.budget import meter
from predictor_core.frontends.common.call import BaseCall, Step, nodes_of, values_of
from predictor_core.frontends.common.loops import opened, tried, unrolled
from predictor_core.frontends.common.values import AS_FLOAT, Value
from predictor_core.ir.graph import Node, Shape
from predictor_core.ir.inputs import GivenShapes, InputShapes
from predictor_core.ir.names import Names

#: What a node takes in memory for each tensor that it reads.
READ_BYTES = 64


class BaseWalk:
    """One walk over a source graph.

    Parameters
    ----------
    input_shape : optional
        See `predictor_core.ir.inputs.InputShapes`.
    inputs : sequence of str
        Names of the inputs in their order, where that is not the order in which the walk meets them.

    Attributes
    ----------
    nodes : list of Node
        In topological order, dimensions as the file has them.
    names : Names
        Those that are taken.
    quantised : bool
        Whether the model computes in integers.
    """

    def __init__(self, input_shape: GivenShapes, inputs: Sequence[str] = ()) -> None:
        self.nodes: list[Node] = []
        self.quantised = False
        self._given = InputShapes(input_shape, inputs)
        self.names = Names()
        self._meter = meter()

    @property
    def warnings(self) -> list[str]:
        """What a report on the model has to say."""
        return [*self._given.warnings, *([AS_FLOAT] if self.quantised else [])]

    def add_input(self, name: str, shape: Shape) -> Value:
        """Append an input of the Graph."""
        self.nodes.append(Node(self.names.fresh(name), "input", outputs=(shape,)))
        return Value(shape, self.nodes[-1].name)

    def append(self, call: BaseCall, steps: Sequence[Step]) -> list[Value]:
        """Append the Nodes of an op; return what it gives."""
        # The walk has counted the op itself.
        self._meter.spend(len(steps) - 1 + len(steps[-1].outputs))
        self.nodes += nodes_of(steps, self.names.fresh(call.name), self.names)
        return values_of(self.nodes[-1])

    def unrolled(
        self,
        name: str,
        values: list[Value],
        condition: Callable[[list[Value]], Value],
        body: Callable[[list[Value]], list[Value]],
    ) -> list[Value]:
        """Append the turns of the loop `name`; the rest as for `predictor_core.frontends.common.loops`."""
        values = opened(
            values, partial(tried, self.nodes, body), lambda value: self.add_input(name, value.shape)
        )
        return unrolled(values, partial(tried, self.nodes, condition), body)
