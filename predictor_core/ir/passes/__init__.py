"""Passes that bring every spelling of a model to one Graph: one file a family of patterns.

`canonical` runs them, in order. A pass is a function of a `Draft`. It keeps what the model computes, and
leaves a node's name alone when the node survives.
"""

from predictor_core.ir.passes.canonical import canonicalize, rewrite_all

__all__ = ["canonicalize", "rewrite_all"]
