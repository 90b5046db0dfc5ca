"""Which predictors exist, and finding some by name and version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from predictor_core.catalog.cards import facts_of
from predictor_core.catalog.embedded import embedded_predictors, is_embedded
from predictor_core.catalog.registry import offered_predictors, registered_predictors
from predictor_core.catalog.versions import version_key
from predictor_core.errors import UnknownPredictorError, suggestion

#: A message lists no more names than these.
_LISTED = 12


def entries() -> list[dict[str, Any]]:
    """Return every predictor that can be loaded, without what its card says; the quick way to the names."""
    known = (*embedded_predictors(), *registered_predictors(), *offered_predictors())
    return [dict(entry) for entry in known]


def list_latency_predictors() -> list[dict[str, Any]]:
    """Every predictor that can be loaded: the embedded, the downloadable, the user's own.

    Returns
    -------
    list of dict
        Keys ``name``, ``version`` (a string), ``category``, where it comes from, and, where they are known,
        ``chip``, ``cores``, ``precision``, ``runtime`` and ``accuracy`` (share in % of unseen models whose
        prediction is within ±10 % of the measurement).
    """
    return [{**entry, **facts_of(entry)} for entry in entries()]


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
        The message lists what exists, close names first.
    """
    if not isinstance(name, str):
        raise UnknownPredictorError(f"a predictor name must be a string, got {name!r}")
    # Other packages are not looked through for a name that none of them may take.
    known = [*embedded_predictors(), *registered_predictors()] if is_embedded(name) else entries()
    named = [dict(entry) for entry in known if entry["name"].lower() == name.strip().lower()]
    if not named:
        raise UnknownPredictorError(f"unknown predictor {name!r}{hint(name, _names(known))}")
    return _of_version(named, version)


def match_predictors(words: Iterable[str], version: str | float | None = None) -> list[dict[str, Any]]:
    """Entries of several predictors, each once, in the order of the words.

    Parameters
    ----------
    words : iterable of str
        Names, patterns such as ``"pixel4*"`` (``*``, ``?`` and ``[...]`` as in a shell), or ``"all"``; case
        does not matter.
    version : str or float, optional
        Default: the latest of each. A pattern stands for those predictors that have the version.

    Raises
    ------
    UnknownPredictorError
        A word stands for no predictor.
    """
    known = entries()
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        pattern = "*" if word.strip().lower() == "all" else word.strip().lower()
        if not any(char in pattern for char in "*?["):
            entry = find_predictor(word, version)
            found.setdefault(entry["name"], entry)
            continue
        fitting = []
        for name in _names(known):
            if not fnmatchcase(name.lower(), pattern):
                continue
            named = [entry for entry in known if entry["name"] == name]
            if version is None or any(_is_version(entry, version) for entry in named):
                fitting.append(_of_version(named, version))
        if not fitting:
            which = "" if version is None else f" of version {version!r}"
            stem = word.strip("*? ")
            raise UnknownPredictorError(f"no predictor{which} matches {word!r}{hint(stem, _names(known))}")
        for entry in fitting:
            found.setdefault(entry["name"], entry)
    return list(found.values())


def hint(word: str, names: Sequence[str]) -> str:
    """Return the end of a message about a name that does not exist: close names, and what there is."""
    listed = ", ".join(names[:_LISTED])
    more = f" and {len(names) - _LISTED} more (nn-meter devices)" if len(names) > _LISTED else ""
    close = suggestion(word, names).rstrip("?")
    return f"{close}{'? These' if close else '; these'} exist: {listed}{more}"


def _names(known: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(entry["name"] for entry in known))


def _is_version(entry: dict[str, Any], version: str | float) -> bool:
    return version_key(entry["version"]) == version_key(version)


def _of_version(named: Sequence[dict[str, Any]], version: str | float | None) -> dict[str, Any]:
    if version is None:
        return max(named, key=lambda entry: version_key(entry["version"]))
    for entry in named:
        if _is_version(entry, version):
            return entry
    known = ", ".join(str(entry["version"]) for entry in named)
    raise UnknownPredictorError(
        f"predictor {named[0]['name']!r} has no version {version!r}; these exist: {known}"
    )
