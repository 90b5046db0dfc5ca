"""TensorFlow Lite front end."""

from predictor_core.frontends.tflite.frontend import load

__all__ = ["load"]
