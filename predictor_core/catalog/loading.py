"""Loading a predictor, wherever it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor_core.catalog.embedded import PACKAGE
from predictor_core.catalog.lookup import find_predictor
from predictor_core.errors import PackError
from predictor_core.files import HEADER_FILE, PACK_FILE

if TYPE_CHECKING:
    from predictor_core.predictor.base import Predictor
    from predictor_core.predictor.header import DeviceHeader
    from predictor_core.predictor.latency import LatencyPredictor
    from predictor_core.predictor.learned import LearnedPredictor


def load_latency_predictor(predictor_name: str, predictor_version: str | float | None = None) -> Predictor:
    """Load a predictor.

    Parameters
    ----------
    predictor_name : str
        Such as ``"cortexA76cpu_tflite21"``; case does not matter.
    predictor_version : str or float, optional
        Default: the latest.

    Returns
    -------
    Predictor
        A LatencyPredictor or, for a version 1.0 pack, a LegacyPredictor.

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
    return load_entry(find_predictor(predictor_name, predictor_version))


def load_entry(entry: Mapping[str, Any]) -> Predictor:
    """Load a predictor of the list.

    Parameters
    ----------
    entry : mapping
        Of the list of predictors, with ``pack`` or ``headers`` (files of the package), ``package_location``
        (a folder) or ``download`` (a URL).

    Returns
    -------
    LegacyPredictor
        For pickled forests; a LatencyPredictor for a pack in this package's own format.

    Raises
    ------
    PackError
        The files are absent, can't be downloaded, or are refused.
    """
    # Imported where they are needed, so that listing the predictors does not wait for numpy.
    if "pack" in entry:
        return _from_pack(PACKAGE / entry["pack"], entry)
    if "headers" in entry:
        precision = str(entry.get("precision", ""))
        return load_from_collection(
            PACKAGE / entry["headers"], str(entry["name"]), entry["sha256"], precision
        )
    if "package_location" in entry:
        folder = Path(entry["package_location"])
        if (folder / PACK_FILE).is_file():
            return _from_pack(folder / PACK_FILE, entry)
        if (folder / HEADER_FILE).is_file():
            return load_learned(folder, name=str(entry["name"]), version=str(entry["version"]))
    else:
        from predictor_core.catalog.download import fetch_pack

        folder = fetch_pack(entry)
    from predictor_core.legacy.predictor import LegacyPredictor

    return LegacyPredictor.from_folder(folder, name=str(entry["name"]), version=str(entry["version"]))


@cache
def load_shared(predictor_name: str, predictor_version: str) -> Any:
    """Load a predictor once a process: the source that many learned devices share."""
    return load_latency_predictor(predictor_name, predictor_version)


def load_learned(
    folder: str | os.PathLike[str], *, name: str | None = None, version: str | None = None
) -> LearnedPredictor:
    """Load the folder of a learned predictor.

    Parameters
    ----------
    folder : path
        As `LearnedPredictor.save` writes it.
    name, version : str, optional
        As it is registered; the header must say the same.

    Raises
    ------
    PackError
        A file is absent or refused, or the source is not the one that it was learned from.
    """
    from predictor_core.predictor.header import DeviceHeader
    from predictor_core.predictor.learned import LearnedPredictor

    path = Path(folder)
    header = DeviceHeader.read(path)
    if name is not None and (header.name.lower(), header.version) != (name.lower(), version):
        raise PackError(
            f"{path} holds {header.name} {header.version}, but {name} {version} is registered; "
            "unregister it and register the folder again"
        )
    return LearnedPredictor(header, load_sources(header), (_load_again, (path, None, "")))


def load_from_collection(
    path: Path, name: str, sha256: str | None = None, precision: str = ""
) -> LearnedPredictor:
    """Load one of the devices whose headers are in one file; `precision` is noted among its facts.

    Raises
    ------
    PackError
        The file is absent or refused, or the source is not the one that it was learned from.
    """
    from predictor_core.predictor.collection import read_collection
    from predictor_core.predictor.learned import LearnedPredictor

    header = read_collection(path, name, sha256)
    if precision:
        header = replace(header, facts={"precision": precision, **header.facts})
    again = (_load_again, (path, name, precision))
    return LearnedPredictor(header, load_sources(header), again)


def _load_again(path: Path, name: str | None, precision: str, pickled: str) -> LearnedPredictor:
    """Load a pickled predictor from where it was loaded before: a folder or, with a name, a collection."""
    from predictor_core.predictor.header_bytes import digest

    loaded = load_learned(path) if name is None else load_from_collection(path, name, precision=precision)
    if digest(loaded.device_header) != pickled:
        raise PackError(f"{path} has changed since {loaded.name} was pickled; load the predictor anew")
    return loaded


def load_sources(header: DeviceHeader) -> list[LatencyPredictor]:
    """Load the predictors that a header names; those of one process share them."""
    return [load_shared(source.name, source.version) for source in header.sources]


def _from_pack(path: Path, entry: Mapping[str, Any]) -> LatencyPredictor:
    from predictor_core.predictor import LatencyPredictor

    return LatencyPredictor.from_pack(
        path, name=str(entry["name"]), version=str(entry["version"]), sha256=entry.get("sha256")
    )
