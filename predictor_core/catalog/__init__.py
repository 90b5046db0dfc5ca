"""Which predictors exist: embedded, downloadable, the user's own; and loading one by name and version."""

from predictor_core.catalog.lookup import (
    PACKAGE,
    find_predictor,
    list_latency_predictors,
    load_latency_predictor,
    version_key,
)

__all__ = ["PACKAGE", "find_predictor", "list_latency_predictors", "load_latency_predictor", "version_key"]
