"""Latencies in microseconds or seconds where milliseconds are meant, noticed against the source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from predictor_core.errors import LearningError
from predictor_core.learning.posterior import Floats

#: ms in one of each unit that a table may have been written in.
UNITS_MS = {"ms": 1.0, "us": 1e-3, "s": 1e3}
_NAMES = {"us": "microseconds", "s": "seconds"}
#: A device may well be 100 times slower or faster than its source, hardly more.
_FAR = 150.0
#: Row among others: a unit mistake is a factor of 1000, and the source is right within this one.
_NEAR = 8.0


def in_ms(latencies: Floats, unit: str | None) -> Floats:
    """Convert latencies to ms; without a unit they are taken for ms.

    Raises
    ------
    LearningError
        The unit is none of `UNITS_MS`.
    """
    if unit is None:
        return latencies
    if unit not in UNITS_MS:
        raise LearningError(f"unit is {unit!r}; expected one of {', '.join(UNITS_MS)}")
    return latencies * UNITS_MS[unit]


def check_units(names: Sequence[str], latency_ms: Floats, source_ms: Floats, source: str) -> None:
    """Notice a wrong unit, of all latencies or of single ones.

    Parameters
    ----------
    names : sequence of str
        Of the models, for the message.
    latency_ms : (n,) float64
        Measured.
    source_ms : (n,) float64
        Predicted by the source.
    source : str
        Its name.

    Raises
    ------
    LearningError
        The message names the unit that the latencies look like, or the model.
    """
    ratio = latency_ms / source_ms
    middle = float(np.median(ratio))
    if not 1.0 / _FAR < middle < _FAR:
        unit = "us" if middle > 1.0 else "s"
        raise LearningError(
            f"the latencies are {middle:.3g} times what {source} predicts: they look like {_NAMES[unit]}, "
            f"expected ms; convert them, or name their unit, or ms if they are right, with --unit {unit} "
            f"(in Python unit={unit!r})"
        )
    for name, one in zip(names, ratio / middle):
        for unit, factor in (("us", 1000.0), ("s", 0.001)):
            if factor / _NEAR < one < factor * _NEAR:
                raise LearningError(
                    f"the latency of {name} is {one:.3g} times what the others and {source} suggest: it "
                    f"looks like {_NAMES[unit]}, expected ms"
                )
