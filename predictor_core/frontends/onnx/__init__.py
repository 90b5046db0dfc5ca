"""ONNX: model files and ``ModelProto`` objects."""

from predictor_core.frontends.onnx.frontend import load

__all__ = ["load"]
