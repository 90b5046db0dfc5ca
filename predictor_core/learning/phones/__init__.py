"""Predictors of phones out of public measurements of real models.

``python -m predictor_core.learning.phones DATA`` makes them all. Needs the extras ``phones`` and ``learn``.
"""
