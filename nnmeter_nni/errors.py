"""Errors of the NNI plugin, and words for their messages."""

from __future__ import annotations

from predictor_core.errors import PredictorError


class ArgumentError(PredictorError, ValueError):
    """An argument that can't be used; the message says what was expected."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of the wrong kind; the message says what was expected."""


class CandidateError(PredictorError):
    """A candidate, or the predictor of a user, raised an error of its own; that error is its cause."""


class NoCandidateError(PredictorError):
    """A search found no candidate that passes its latency filter."""


class NniVersionError(PredictorError, ImportError):
    """Something is used with a version of NNI that it is not for; the message has the right line."""


def kind_of(value: object) -> str:
    """Return what messages call a value: its type, or that it is itself a class."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
