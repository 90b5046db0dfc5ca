"""TensorFlow Lite front end."""

from predictor_core.frontends.tflite.frontend import load, tensor_names

__all__ = ["load", "tensor_names"]
