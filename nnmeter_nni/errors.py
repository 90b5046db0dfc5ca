"""Errors of the NNI plugin."""

from __future__ import annotations

from predictor_core.errors import PredictorError


class NoCandidateError(PredictorError):
    """A search found no candidate that passes its latency filter."""


class NniVersionError(PredictorError, ImportError):
    """Something is used with a version of NNI that it is not for; the message has the right line."""
