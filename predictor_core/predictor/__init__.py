"""Predictors: a model in, milliseconds, a report and an interval out."""

from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.predictor.base import Predictor
from predictor_core.predictor.evaluate import KernelLatency
from predictor_core.predictor.latency import LatencyPredictor

__all__ = ["DEFAULT_INPUT_SHAPE", "KernelLatency", "LatencyPredictor", "Predictor", "to_graph"]
