"""Front ends: one per model type, found by name and imported when first used."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph


class Frontend(Protocol):
    """What a front end offers: a model in, a Graph out.

    The keyword-only parameters of its signature are the options that a caller may give.
    """

    def __call__(self, model: Any, *, input_shape: Any = None, **options: Any) -> Graph:
        """Convert `model` (a path or an object) to a Graph."""


#: model type -> "module:function"
FRONTENDS: dict[str, str] = {
    "nnmeter-ir": "predictor_core.frontends.nnmeter_ir:load",
    "onnx": "predictor_core.frontends.onnx:load",
    "pb": "predictor_core.frontends.tensorflow:load",
    "torch": "predictor_core.frontends.torch:load",
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


def check_options(model_type: str, options: Collection[str]) -> None:
    """Refuse options that a front end does not have.

    Parameters
    ----------
    model_type : str
        Name of the front end.
    options : collection of str
        Names of the options that a caller gives.

    Raises
    ------
    PredictorError
        For an option that is not a keyword-only parameter of the front end; the message lists those that
        are, and names the one that was probably meant.
    """
    if not options:
        return
    parameters = inspect.signature(find(model_type)).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            close = get_close_matches(option, known, 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise PredictorError(
                f"model type {model_type!r} has no option {option!r}; {meant}it has: {', '.join(known)}"
            )


def _plugins() -> Any:
    found: Any = entry_points()
    if hasattr(found, "select"):
        return found.select(group=ENTRY_POINT_GROUP)
    return found.get(ENTRY_POINT_GROUP, ())
