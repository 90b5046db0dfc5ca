"""Passes that bring every way to write a model to one Graph: one file a family of patterns.

`canonical` runs them in order, each on the `MutableGraph` that the one before it leaves; `contract` says what
a pass is.
"""

from predictor_core.ir.passes.canonical import PASSES, canonical_graph, canonicalize, run_passes
from predictor_core.ir.passes.contract import GraphPass, graph_pass

__all__ = ["PASSES", "GraphPass", "canonical_graph", "canonicalize", "graph_pass", "run_passes"]
