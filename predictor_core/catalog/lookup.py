"""Which predictors exist, and finding one by name and version."""

from __future__ import annotations

from typing import Any

from predictor_core.catalog.embedded import embedded_predictors
from predictor_core.catalog.registry import registered_predictors
from predictor_core.catalog.versions import version_key
from predictor_core.errors import UnknownPredictorError


def list_latency_predictors() -> list[dict[str, Any]]:
    """Every predictor that can be loaded: the embedded, the downloadable, the user's own.

    Returns
    -------
    list of dict
        Keys ``name``, ``version`` (a string), ``category``, and where it comes from.
    """
    return [dict(entry) for entry in (*embedded_predictors(), *registered_predictors())]


def find_predictor(name: str, version: str | float | None = None) -> dict[str, Any]:
    """Entry of a predictor.

    Parameters
    ----------
    name : str
        Case does not matter.
    version : str or float, optional
        Default: the latest.

    Raises
    ------
    UnknownPredictorError
        The message lists what exists.
    """
    entries = list_latency_predictors()
    if not isinstance(name, str):
        raise UnknownPredictorError(f"a predictor name must be a string, got {name!r}")
    named = [entry for entry in entries if entry["name"].lower() == name.strip().lower()]
    if not named:
        known = ", ".join(dict.fromkeys(entry["name"] for entry in entries))
        raise UnknownPredictorError(f"unknown predictor {name!r}; these exist: {known}")
    if version is None:
        return max(named, key=lambda entry: version_key(entry["version"]))
    wanted = version_key(version)
    for entry in named:
        if version_key(entry["version"]) == wanted:
            return entry
    known = ", ".join(str(entry["version"]) for entry in named)
    raise UnknownPredictorError(
        f"predictor {named[0]['name']!r} has no version {version!r}; these exist: {known}"
    )
