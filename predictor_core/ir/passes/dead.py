"""Remove what no output of the model depends on."""

from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(ensures="live")
def drop_dead(graph: MutableGraph) -> None:
    """Remove nodes that no output depends on; the model's inputs stay."""
    graph.prune()
