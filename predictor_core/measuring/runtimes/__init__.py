"""Runtimes that models are timed on: one small adapter a runtime, imported when first used."""

from __future__ import annotations

from importlib import import_module

from predictor_core.errors import PredictorError
from predictor_core.measuring.runtimes.base import Runtime, Session

__all__ = ["RUNTIMES", "Runtime", "Session", "find"]

#: runtime -> "module:class"
RUNTIMES: dict[str, str] = {
    "litert": "predictor_core.measuring.runtimes.litert:LiteRT",
    "onnxruntime": "predictor_core.measuring.runtimes.onnxruntime:OnnxRuntime",
    "openvino": "predictor_core.measuring.runtimes.openvino:OpenVINO",
    "torch": "predictor_core.measuring.runtimes.torch:Torch",
}


def find(name: str) -> Runtime:
    """Return the adapter of a runtime.

    Raises
    ------
    PredictorError
        When the name is not known; the message lists those that are.
    MissingDependencyError
        When the runtime is not installed.
    """
    target = RUNTIMES.get(name.lower())
    if target is None:
        raise PredictorError(f"unknown runtime {name!r}; expected one of {', '.join(RUNTIMES)}")
    module, _, adapter = target.partition(":")
    runtime: Runtime = getattr(import_module(module), adapter)()
    runtime.check_installed()
    return runtime
