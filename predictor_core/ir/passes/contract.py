"""GraphPass: a rewrite of a MutableGraph that states its contract."""

from __future__ import annotations

from collections.abc import Callable

from predictor_core.errors import MALFORMED, GraphError, PredictorError
from predictor_core.ir.mutable import MutableGraph

Rewrite = Callable[[MutableGraph], None]


class GraphPass:
    """A rewrite of a graph, made by `graph_pass`.

    It keeps what the model computes, and leaves a node's name alone when the node survives. A second run
    right behind the first changes nothing.

    Parameters
    ----------
    rewrite : callable
        Changes the `MutableGraph` that it is given.
    requires : tuple of str
        Properties of graphs that passes before it have ensured.
    ensures : str
        Property of every graph after it.
    ops : tuple of str
        Graphs without any of these ops are as they should be; empty where any graph may not be.
    """

    def __init__(
        self, rewrite: Rewrite, requires: tuple[str, ...], ensures: str, ops: tuple[str, ...]
    ) -> None:
        self.rewrite = rewrite
        self.ops = ops
        self.name = rewrite.__name__
        self.requires = requires
        self.ensures = ensures
        self.__doc__ = rewrite.__doc__

    def __repr__(self) -> str:
        return f"GraphPass({self.name})"

    def __call__(self, graph: MutableGraph) -> bool:
        """Rewrite a graph, and return whether that changed it.

        Raises
        ------
        GraphError
            When a node is malformed: the message names the node, or else the pass that met it.
        """
        if self.ops and not graph.has(*self.ops):
            return False
        before, graph.changed = graph.changed, False
        try:
            self.rewrite(graph)
        except PredictorError as error:
            raise type(error)(f"{self.name}: {error}") from error
        except MALFORMED as error:
            # A shape that no tensor can have says more than what it led to.
            graph.freeze()
            raise GraphError(f"{self.name}: a node is malformed ({type(error).__name__}: {error})") from error
        changed = graph.changed
        graph.changed = before or changed
        return changed


def graph_pass(
    *, ensures: str, requires: tuple[str, ...] = (), ops: tuple[str, ...] = ()
) -> Callable[[Rewrite], GraphPass]:
    """Make a `GraphPass` of a function of a `MutableGraph`."""
    return lambda rewrite: GraphPass(rewrite, requires, ensures, ops)
