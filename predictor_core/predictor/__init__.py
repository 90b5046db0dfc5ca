"""Predictors: a model in, milliseconds, a report and an interval out."""

from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.predictor.latency import KernelLatency, LatencyPredictor

__all__ = ["DEFAULT_INPUT_SHAPE", "KernelLatency", "LatencyPredictor", "to_graph"]
