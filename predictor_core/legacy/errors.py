"""Errors of the 1.0 path, and the guard that turns upstream's crashes into them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from predictor_core.errors import MALFORMED, PredictorError


class ParityError(PredictorError):
    """A model on which nn-Meter itself fails, so that there is no number to reproduce."""


@contextmanager
def upstream_fault(place: str) -> Iterator[None]:
    """Report an exception that upstream's semantics raise inside the block as a `ParityError`.

    Parameters
    ----------
    place : str
        What was being read, with the name of the node or kernel.
    """
    try:
        yield
    except MALFORMED as error:
        raise ParityError(
            f"{place}: nn-Meter has no answer here ({type(error).__name__}: {error}), so a 1.0 predictor "
            "has none to reproduce; use predictor version 2.0 for this model"
        ) from error
