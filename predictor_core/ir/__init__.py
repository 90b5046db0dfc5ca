"""Graph, Node, the canonical op vocabulary, and the nn-Meter IR."""

from predictor_core.ir.graph import Graph, Node, Shape

__all__ = ["Graph", "Node", "Shape"]
