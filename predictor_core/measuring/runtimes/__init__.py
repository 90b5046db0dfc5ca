"""Runtimes that models are timed on: one small adapter a runtime, which imports it when it is used."""

from __future__ import annotations

from predictor_core.errors import PredictorError
from predictor_core.measuring.runtimes.base import Runtime, Session
from predictor_core.measuring.runtimes.litert import LiteRT
from predictor_core.measuring.runtimes.onnxruntime import OnnxRuntime
from predictor_core.measuring.runtimes.openvino import OpenVINO
from predictor_core.measuring.runtimes.torch import Torch

__all__ = ["RUNTIMES", "Runtime", "Session", "find"]

#: Adapters by name; the runtimes need not be installed.
RUNTIMES: dict[str, type[Runtime]] = {one.name: one for one in (LiteRT, OnnxRuntime, OpenVINO, Torch)}


def find(name: str) -> Runtime:
    """Return the adapter of a runtime.

    Raises
    ------
    PredictorError
        When the name is not known; the message lists those that are.
    MissingDependencyError
        When the runtime is not installed.
    """
    adapter = RUNTIMES.get(name.lower())
    if adapter is None:
        raise PredictorError(f"unknown runtime {name!r}; expected one of {', '.join(RUNTIMES)}")
    runtime = adapter()
    runtime.check_installed()
    return runtime
