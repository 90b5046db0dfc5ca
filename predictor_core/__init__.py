"""Latency of neural networks on mobile and edge devices, predicted from the model alone."""

from __future__ import annotations

from predictor_core.catalog import list_latency_predictors, load_latency_predictor
from predictor_core.errors import PredictorError
from predictor_core.ir_export import model_file_to_graph, model_to_graph
from predictor_core.predictor import LatencyPredictor
from predictor_core.report import LatencyReport

__version__ = "2.0.0"

__all__ = [
    "LatencyPredictor",
    "LatencyReport",
    "PredictorError",
    "list_latency_predictors",
    "load_latency_predictor",
    "model_file_to_graph",
    "model_to_graph",
]
