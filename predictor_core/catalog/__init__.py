"""Which predictors exist: embedded, downloadable, the user's own; and loading one by name and version."""

from predictor_core.catalog.embedded import PACKAGE
from predictor_core.catalog.loading import load_entry, load_latency_predictor
from predictor_core.catalog.lookup import find_predictor, list_latency_predictors, match_predictors
from predictor_core.catalog.versions import version_key

__all__ = [
    "PACKAGE",
    "find_predictor",
    "list_latency_predictors",
    "load_entry",
    "load_latency_predictor",
    "match_predictors",
    "version_key",
]
