"""Runtimes that models are timed on: one small adapter a runtime, which imports it when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from predictor_core.errors import PredictorError

if TYPE_CHECKING:
    from predictor_core.measuring.runtimes.base import Runtime

#: Names of the runtimes, which need not be installed, and of their adapters in the modules of these names.
RUNTIMES = {"litert": "LiteRT", "onnxruntime": "OnnxRuntime", "openvino": "OpenVINO", "torch": "Torch"}


def adapter(name: str) -> Runtime:
    """Return the adapter of a runtime, installed or not."""
    made: Runtime = getattr(import_module(f"{__name__}.{name}"), RUNTIMES[name])()
    return made


def find(name: str) -> Runtime:
    """Return the adapter of a runtime.

    Raises
    ------
    PredictorError
        When the name is not known; the message lists those that are.
    MissingDependencyError
        When the runtime is not installed.
    """
    if name.lower() not in RUNTIMES:
        raise PredictorError(f"unknown runtime {name!r}; expected one of {', '.join(RUNTIMES)}")
    runtime = adapter(name.lower())
    runtime.check_installed()
    return runtime
