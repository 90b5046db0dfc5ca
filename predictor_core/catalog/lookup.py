"""Which predictors exist, and loading one by name and version."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from predictor_core.errors import UnknownPredictorError

#: Folder of the package, where the embedded predictors are.
PACKAGE = Path(__file__).parents[1]


@lru_cache(maxsize=1)
def _embedded() -> tuple[dict[str, Any], ...]:
    text = Path(__file__).with_name("predictors.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(yaml.load(text, Loader=loader))


def list_latency_predictors() -> list[dict[str, Any]]:
    """Every predictor that can be loaded: the embedded, the downloadable, the user's own.

    Returns
    -------
    list of dict
        Keys ``name``, ``version`` (a string), ``category``, and where it comes from.
    """
    from predictor_core.catalog.registry import registered_predictors

    return [dict(entry) for entry in (*_embedded(), *registered_predictors())]


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


def version_key(version: Any) -> tuple[tuple[int, int, str], ...]:
    """Sortable form of a version: 1, 1.0 and "1.0.0" are the same one."""
    parts = [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in str(version).strip().lower().split(".")
    ]
    while len(parts) > 1 and parts[-1] == (0, 0, ""):
        parts.pop()
    return tuple(parts)


def load_latency_predictor(predictor_name: str, predictor_version: str | float | None = None) -> Any:
    """Load a predictor.

    Parameters
    ----------
    predictor_name : str
        Such as ``"cortexA76cpu_tflite21"``; case does not matter.
    predictor_version : str or float, optional
        Default: the latest.

    Returns
    -------
    LatencyPredictor
        Or, for a version 1.0 pack, its counterpart with the same methods.

    Raises
    ------
    UnknownPredictorError
        For a name or version that does not exist.
    PackError
        When the pack is corrupted.

    Examples
    --------
    >>> load_latency_predictor("CortexA76CPU_tflite21").name
    'cortexA76cpu_tflite21'
    """
    entry = find_predictor(predictor_name, predictor_version)
    if "pack" in entry:
        # Imported here, so that listing the predictors does not wait for numpy.
        from predictor_core.predictor import LatencyPredictor

        return LatencyPredictor.from_pack(
            PACKAGE / entry["pack"],
            name=entry["name"],
            version=str(entry["version"]),
            sha256=entry.get("sha256"),
        )
    from predictor_core.legacy import load_predictor

    return load_predictor(entry)
