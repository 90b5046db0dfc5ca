"""Predictors of phones out of public measurements of real models; ``python -m predictor_core.learning.phones``.

Needs the extras ``phones`` and ``learn``.
"""
