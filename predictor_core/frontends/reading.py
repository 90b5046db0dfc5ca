"""Any model of any type becomes a canonical Graph."""

from __future__ import annotations

from typing import Any

from predictor_core import frontends
from predictor_core.budget import metered
from predictor_core.errors import MissingDependencyError, ModelFormatError, PredictorError, own_errors
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes


class _DefaultShape(tuple[int, ...]):
    """A shape that nobody has asked for; pickled by name, so that it is known again in other processes."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "DEFAULT_INPUT_SHAPE"


#: Input of a torch model when the caller names none: one RGB image, channels first.
DEFAULT_INPUT_SHAPE: tuple[int, ...] = _DefaultShape((1, 3, 224, 224))


def to_graph(
    model: Any,
    model_type: str | None = None,
    input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
    apply_nni: bool = False,
    **options: Any,
) -> Graph:
    """Read a model into a canonical Graph; parameters as for `LatencyPredictor.predict`.

    Raises
    ------
    PredictorError
        For whatever is wrong with the model, or when reading it would take more than the budget.
    """
    with own_errors(model), metered():
        if isinstance(model, Graph):
            from predictor_core.ir.passes import canonicalize

            return canonicalize(model)
        if model_type is None:
            model_type = frontends.type_of(model)
        if not isinstance(model_type, str):
            raise PredictorError(
                f"model_type must be one of {', '.join(frontends.model_types())}; got {model_type!r}"
            )
        kind = model_type.lower()
        if apply_nni and kind != "nni-ir":
            options["apply_nni"] = True
        # The default must not override the shapes that a file, an NNI graph or example inputs have of their
        # own; the front ends that need it know it.
        if isinstance(input_shape, _DefaultShape):
            input_shape = None
        frontends.check_options(kind, options)
        load = frontends.find(kind)
        try:
            return load(model, input_shape=input_shape, **options)
        except (MissingDependencyError, ModelFormatError) as error:
            found = frontends.recognised(model)
            if found is None or found.name == kind or not found.flag:
                raise
            raise ModelFormatError(
                f"{error}; it looks like a {found.suffixes[0]} file: give it with {found.flag}, or as model "
                f"type {found.name!r}"
            ) from error
