"""Latency of neural networks on mobile and edge devices, predicted from the model alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor_core.lazy import lazy_names

if TYPE_CHECKING:
    from predictor_core.catalog import list_latency_predictors, load_latency_predictor
    from predictor_core.errors import PredictorError
    from predictor_core.frontends.nnmeter_ir.export import model_file_to_graph, model_to_graph
    from predictor_core.kernels import register_op, unregister_op
    from predictor_core.learning.learn import learn_predictor
    from predictor_core.measuring.measure import Measurement, measure_latency
    from predictor_core.predictor import LatencyPredictor
    from predictor_core.predictor.batch import predict_many
    from predictor_core.predictor.report import LatencyReport

__version__ = "2.0.0"

__all__ = [
    "LatencyPredictor",
    "LatencyReport",
    "Measurement",
    "PredictorError",
    "learn_predictor",
    "list_latency_predictors",
    "load_latency_predictor",
    "measure_latency",
    "model_file_to_graph",
    "model_to_graph",
    "predict_many",
    "register_op",
    "unregister_op",
]

# Resolved on first use, so that the command starts fast and submodules can be imported alone.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "catalog": ["list_latency_predictors", "load_latency_predictor"],
        "errors": ["PredictorError"],
        "frontends.nnmeter_ir.export": ["model_file_to_graph", "model_to_graph"],
        "kernels": ["register_op", "unregister_op"],
        "learning.learn": ["learn_predictor"],
        "measuring.measure": ["Measurement", "measure_latency"],
        "predictor": ["LatencyPredictor"],
        "predictor.batch": ["predict_many"],
        "predictor.report": ["LatencyReport"],
    },
)
