"""Architectures of the package pytorchcv, built by name without weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

from predictor_core.errors import PredictorError, requires
from predictor_core.frontends.torch.torchvision import import_models
from predictor_core.frontends.torch.weightless import built_without_weights


def build(name: str) -> Any:
    """Build a network of pytorchcv without its weights, in evaluation mode.

    Parameters
    ----------
    name : str
        As pytorchcv has it, such as ``igcv3_w1``.

    Raises
    ------
    PredictorError
        When pytorchcv has no network of the name.
    MissingDependencyError
        When torch or pytorchcv is not installed.
    """
    if find_spec("torchvision") is not None:
        # pytorchcv imports it.
        import_models()
    with requires("pytorchcv", "phones", "building an architecture of pytorchcv"):
        from pytorchcv.model_provider import get_model
    with _numpy_int():
        try:
            return built_without_weights(lambda: get_model(name, pretrained=False))
        except ValueError as error:
            raise PredictorError(f"pytorchcv has no model {name!r}: {error}") from error


@contextmanager
def _numpy_int() -> Iterator[None]:
    """Give pytorchcv the alias ``numpy.int`` that numpy 1.24 has dropped, for as long as a model is built."""
    name = "int"
    if hasattr(np, name):
        yield
        return
    setattr(np, name, int)
    try:
        yield
    finally:
        delattr(np, name)
