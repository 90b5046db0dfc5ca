"""Front ends: one per model type, found by name and imported when first used."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph


class Frontend(Protocol):
    """What a front end offers: a model in, a Graph out."""

    def __call__(self, model: Any, *, input_shape: Any = None, **options: Any) -> Graph:
        """Convert `model` (a path or an object) to a Graph."""


#: model type -> "module:function"
FRONTENDS: dict[str, str] = {
    "nnmeter-ir": "predictor_core.frontends.nnmeter_ir:load",
    "onnx": "predictor_core.frontends.onnx:load",
    "openvino": "predictor_core.frontends.openvino:load",
    "pb": "predictor_core.frontends.tensorflow:load",
    "torch": "predictor_core.frontends.torch:load",
    "tflite": "predictor_core.frontends.tflite:load",
    "torchvision": "predictor_core.frontends.torch.torchvision:load",
}

#: Other packages add model types through this entry point group (``nni-ir`` comes from nnmeter_nni).
ENTRY_POINT_GROUP = "predictor_core.frontends"


def model_types() -> list[str]:
    """Names of the model types that can be read here."""
    return sorted({*FRONTENDS, *(point.name for point in _plugins())})


def find(model_type: str) -> Frontend:
    """Return the front end of a model type.

    Raises
    ------
    PredictorError
        When the type is not known; the message lists those that are.
    """
    target = FRONTENDS.get(model_type)
    if target is not None:
        module, _, function = target.partition(":")
        frontend: Frontend = getattr(import_module(module), function)
        return frontend
    for point in _plugins():
        if point.name == model_type:
            plugin: Frontend = point.load()
            return plugin
    raise PredictorError(f"unknown model_type {model_type!r}; expected one of {', '.join(model_types())}")


def _plugins() -> Any:
    found: Any = entry_points()
    if hasattr(found, "select"):
        return found.select(group=ENTRY_POINT_GROUP)
    return found.get(ENTRY_POINT_GROUP, ())
