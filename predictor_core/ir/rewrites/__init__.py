"""Passes that bring every spelling of a model to one Graph: one file a pass.

`predictor_core.ir.rewrite` runs them. A pass is a function of a `Draft`. It keeps what the model computes,
and leaves a node's name alone when the node survives.
"""
