"""Adding predictors to the user's list, and taking them off."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from predictor_core.catalog.embedded import embedded_predictors
from predictor_core.catalog.home import predictors_file
from predictor_core.catalog.registry import (
    check_entry,
    is_custom,
    is_predictor,
    offered_predictors,
    read_list,
    read_yaml,
    same,
    write_list,
)
from predictor_core.catalog.versions import version_key
from predictor_core.errors import RegistryError, UnknownPredictorError, suggestion
from predictor_core.files import HEADER_FILE, PACK_FILE, locked, remove_leftovers


def register_predictor(meta_path: str | os.PathLike[str]) -> dict[str, Any]:
    """Add the predictor that a meta file describes to the user's list.

    Parameters
    ----------
    meta_path : path
        Folder of a learned predictor; or YAML with ``name``, ``version``, ``category``, ``package_location``
        (relative to the file, or absolute) and, for a folder of pickled forests, ``kernel_predictors``. Other
        keys are kept.

    Returns
    -------
    dict
        The entry as it is listed from now on.

    Raises
    ------
    RegistryError
        A key is absent or wrong, the folder holds no predictor, or name and version are taken.
    """
    path = Path(meta_path)
    if path.is_dir():
        entry = _learned_entry(path)
    else:
        entry = check_entry(read_yaml(path), str(path), path.parent)
    if not is_predictor(entry):
        forests = ", ".join(f"{name}.pkl" for name in entry.get("kernel_predictors", ())) or "one .pkl file"
        raise RegistryError(
            f"{path}: 'package_location' is {entry['package_location']}, which holds no predictor; expected "
            f"fusion_rules.json with {forests}, {PACK_FILE}, or {HEADER_FILE}"
        )
    file = predictors_file()
    with locked(file):
        remove_leftovers(file.parent)
        listed = read_list(file)
        # A list with a broken entry is not written to.
        own = [check_entry(other, str(file), file.parent) for other in listed if is_custom(other)]
        if any(same(entry, other) for other in (*embedded_predictors(), *own, *offered_predictors())):
            raise RegistryError(
                f"predictor {entry['name']!r} version {entry['version']} exists already; unregister it "
                "first, or choose another 'version'"
            )
        listed.append(entry)
        write_list(file, listed, appended=entry)
    return entry


def unregister_predictor(name: str, version: str | float | None = None) -> dict[str, Any]:
    """Take a predictor off the user's list; its files stay.

    Parameters
    ----------
    name : str
        Case does not matter.
    version : str or float, optional
        Needed where several versions are registered.

    Returns
    -------
    dict
        The entry that was removed.

    Raises
    ------
    UnknownPredictorError
        No such predictor was registered.
    RegistryError
        Several versions are registered and none was named.
    """
    file = predictors_file()
    with locked(file):
        listed = read_list(file)
        found = [
            entry
            for entry in listed
            if is_custom(entry)
            and str(entry["name"]).lower() == name.strip().lower()
            and (version is None or version_key(entry.get("version")) == version_key(version))
        ]
        if not found:
            own = [entry for entry in listed if is_custom(entry)]
            known = ", ".join(f"{entry['name']} {entry.get('version')}" for entry in own)
            close = suggestion(name, (str(entry["name"]) for entry in own)) or ";"
            which = repr(name) if version is None else f"{name!r} version {version}"
            raise UnknownPredictorError(
                f"no predictor {which} is registered{close} registered are: {known or 'none'}"
            )
        if len(found) > 1:
            versions = ", ".join(str(entry.get("version")) for entry in found)
            raise RegistryError(f"several versions of {name!r} are registered ({versions}); name one of them")
        write_list(file, [entry for entry in listed if entry is not found[0]])
    return dict(found[0])


def _learned_entry(folder: Path) -> dict[str, Any]:
    """Entry of a learned predictor; all of its folder is checked by loading it."""
    if not (folder / HEADER_FILE).is_file():
        raise RegistryError(
            f"{folder} holds no {HEADER_FILE}; expected the folder of a learned predictor, or a meta file"
        )
    from predictor_core.catalog.loading import load_learned

    learned = load_learned(folder)
    entry = {
        "name": learned.name,
        "version": learned.version,
        "category": learned.device_header.category,
        "package_location": str(folder.resolve()),
    }
    return check_entry(entry, str(folder), folder)
