"""OpenVINO front end."""

from predictor_core.frontends.openvino.frontend import load

__all__ = ["load"]
