"""Predictors of an x86 processor out of the measurements of ``benchmarks/own_machine.py``.

``python -m predictor_core.learning.x86 FOLDER`` makes them all. Needs the extras ``onnx`` and ``learn``.
"""
