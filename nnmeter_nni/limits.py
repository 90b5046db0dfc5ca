"""Arguments, checked: thresholds of a filter, the devices that they are for, shapes, other numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from nnmeter_nni.device import Predictor
from nnmeter_nni.errors import ArgumentError, ArgumentTypeError
from predictor_core.errors import ModelFormatError
from predictor_core.ir.inputs import InputShapes

_EXAMPLE = "LatencyFilter(100, 'cortexA76cpu_tflite21')"


def devices(threshold: float | Mapping[str, float], predictor: Any) -> Sequence[Predictor]:
    """Return the devices that a filter is asked to predict for, checked.

    Raises
    ------
    ArgumentError
        When there is none, or more than one without a threshold for each.
    """
    if isinstance(threshold, Mapping):
        if predictor is not None:
            raise ArgumentError(
                "threshold is a mapping of predictor name to ms, so the predictor must be left out, "
                f"but got predictor={predictor!r}"
            )
        if not threshold:
            raise ArgumentError("threshold is an empty mapping; expected predictor name -> ms")
        return list(threshold)
    if _is_number(predictor) and not _is_number(threshold):
        raise ArgumentTypeError(
            f"threshold comes first, in ms, then the predictor: write LatencyFilter({predictor!r}, "
            f"{threshold!r}), not LatencyFilter({threshold!r}, {predictor!r})"
        )
    if isinstance(predictor, Collection) and not isinstance(predictor, str):
        each = ", ".join(f"{one!r}: {threshold!r}" for one in predictor)
        raise ArgumentTypeError(
            f"predictor must be one device, but got {predictor!r}; "
            f"for several write LatencyFilter({{{each}}})"
        )
    if predictor is None:
        raise ArgumentTypeError(f"LatencyFilter needs a threshold and a predictor, e.g. {_EXAMPLE}")
    return [predictor]


def limits_ms(
    argument: str, given: float | Mapping[str, float], names: Mapping[Any, str]
) -> dict[str, float]:
    """Return predictor name -> ms, checked.

    Parameters
    ----------
    argument : {"threshold", "min_latency"}
        What is given, for the error message.
    given : float, or mapping of predictor to float
        In ms.
    names : mapping
        Each predictor as it was given -> its name.

    Raises
    ------
    ArgumentError
        When a predictor is unknown, a limit is no number, or nothing could be below it.
    """
    values = dict(given) if isinstance(given, Mapping) else dict.fromkeys(names, given)
    limits: dict[str, float] = {}
    for key, value in values.items():
        if key not in names:
            raise ArgumentError(
                f"{argument} names the predictor {key!r}; expected one of {', '.join(map(str, names))}"
            )
        if not _is_number(value) or math.isnan(value):
            raise ArgumentError(f"{argument} of {names[key]} must be a number of ms, but got {value!r}")
        if argument == "threshold" and value <= 0:
            raise ArgumentError(
                f"threshold of {names[key]} must be a positive number of ms, but got {value!r}: "
                "nothing can pass"
            )
        limits[names[key]] = float(value)
    return limits


def checked_shape(input_shape: Any) -> Any:
    """Return the input shape of all candidates, or the shapes of their inputs in order, as tuples.

    Raises
    ------
    ArgumentError
        When it is neither.
    """
    try:
        given = InputShapes(input_shape)
    except ModelFormatError as error:
        raise ArgumentError(str(error)) from error
    if given.named:
        raise ArgumentError(f"input_shape={input_shape!r}; the inputs of candidates are given in order")
    return given.ordered[0] if len(given.ordered) == 1 else tuple(given.ordered)


def positive(name: str, value: Any) -> int:
    """Return a count, checked.

    Raises
    ------
    ArgumentError
        When it is no positive integer.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentTypeError(f"{name} must be a positive integer, but got {value!r}")
    if value < 1:
        raise ArgumentError(f"{name} must be a positive integer, but got {value}")
    return int(value)


def number(name: str, value: Any) -> float:
    """Return a number, checked.

    Raises
    ------
    ArgumentTypeError
        When it is none.
    """
    if not _is_number(value):
        raise ArgumentTypeError(f"{name} must be a number, but got {value!r}")
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
