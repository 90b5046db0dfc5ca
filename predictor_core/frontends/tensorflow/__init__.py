"""TensorFlow: frozen graphs and SavedModels, read without TensorFlow."""

from predictor_core.frontends.tensorflow.frontend import load

__all__ = ["load"]
