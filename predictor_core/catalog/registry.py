"""The user's own predictors: a list beside nn-Meter's, and packages that ship devices."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from predictor_core import yaml_files
from predictor_core.catalog.embedded import is_embedded
from predictor_core.catalog.home import predictors_file
from predictor_core.catalog.versions import version_key
from predictor_core.errors import PredictorError, RegistryError
from predictor_core.files import HEADER_FILE, PACK_FILE, write_atomically
from predictor_core.plugins import entry_points_of

#: A package offers predictors through entry points of this group. Each names an entry (a dict in the
#: format of a meta file), a list of such, or a function of no arguments that returns one of the two.
#: The names of embedded predictors are taken.
ENTRY_POINT_GROUP = "predictor_core.predictors"

#: Longest name, version or category.
_MAX_WORD = 200

_LOGGER = logging.getLogger(__name__)


def registered_predictors() -> list[dict[str, Any]]:
    """Entries of the user's list, versions as strings.

    Entries that nn-Meter itself wrote for its built-in predictors are left out: those are built in here too.
    What can't be read, a list or an entry of it, is left out with a warning in the log: the other predictors
    work all the same.
    """
    own = []
    try:
        file = predictors_file()
        listed = [entry for entry in read_list(file) if is_custom(entry)]
    except PredictorError as error:
        _LOGGER.warning("your own predictors are left out: %s", error)
        listed = []
    for entry in listed:
        try:
            own.append(check_entry(entry, str(file), file.parent))
        except RegistryError as error:
            _LOGGER.warning("a predictor of your own is left out: %s", error)
    return own


def check_name(name: Any, where: str = "the name") -> None:
    """Raise `RegistryError` unless a predictor may be called so; `where` is what the message calls it."""
    if not _is_line(name) or not name.strip(" .") or "/" in name or "\\" in name:
        raise RegistryError(f"{where} is {name!r:.60}; expected a name without slashes and line breaks")


def check_entry(entry: Any, origin: str, base: Path) -> dict[str, Any]:
    """Return a checked copy: version a string, location absolute.

    Raises
    ------
    RegistryError
        The message names the key, and `origin`.
    """
    if not isinstance(entry, Mapping):
        raise RegistryError(
            f"{origin}: got {type(entry).__name__}, expected a mapping with the keys name, version, ..."
        )
    for key in ("name", "version", "category", "package_location"):
        if entry.get(key) in (None, ""):
            raise RegistryError(f"{origin}: the key {key!r} is missing")
    name, version, location = entry["name"], entry["version"], entry["package_location"]
    check_name(name, f"{origin}: 'name'")

    def expect(key: str, holds: bool, expected: str) -> None:
        if not holds:
            raise RegistryError(f"{origin}: {key!r} is {entry[key]!r:.60}; expected {expected}")

    number = isinstance(version, (int, float)) and not isinstance(version, bool) and isfinite(version)
    short = (number or _is_line(version)) and len(str(version)) <= _MAX_WORD
    expect("version", short, "a number or a string such as 1.0")
    expect("category", _is_line(entry["category"]), "a string such as cpu")
    expect("package_location", isinstance(location, (str, os.PathLike)), "the path of a folder")
    forests = entry.get("kernel_predictors", [])
    named = isinstance(forests, (list, tuple)) and all(isinstance(forest, str) for forest in forests)
    expect("kernel_predictors", named, "a list of names")
    for key in entry:
        if not isinstance(key, str) or key == "pack":
            raise RegistryError(f"{origin}: {key!r:.60} is no key of a predictor of your own")
    expect("sha256", isinstance(entry.get("sha256", ""), str), "hexadecimal digits")
    try:
        folder = (base / Path(location).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise RegistryError(f"{origin}: 'package_location' is no path that can be used: {error}") from error
    return {**entry, "name": name.strip(), "version": str(version), "package_location": str(folder)}


def _is_line(text: Any) -> bool:
    return isinstance(text, str) and text.isprintable() and len(text) <= _MAX_WORD


def is_custom(entry: Any) -> bool:
    """Whether an entry of the list is a predictor in a folder of the user's."""
    return isinstance(entry, Mapping) and "package_location" in entry


def is_predictor(entry: Mapping[str, Any]) -> bool:
    """Whether the folder of an entry holds what its kind of predictor needs."""
    from predictor_core.legacy.pack_folder import is_pack

    folder = Path(entry["package_location"])
    own = (folder / PACK_FILE).is_file() or (folder / HEADER_FILE).is_file()
    return own or is_pack(folder, entry.get("kernel_predictors", ()))


def same(entry: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two entries have one name and version."""
    return str(entry["name"]).lower() == str(other["name"]).lower() and version_key(
        entry["version"]
    ) == version_key(other["version"])


def read_yaml(path: Path) -> Any:
    """Read a small YAML file of the user's."""
    try:
        return yaml_files.read_yaml(path)
    except OSError as error:
        raise RegistryError(f"{path} can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise RegistryError(f"{path} is no list or meta file of predictors: {error}") from error


def read_list(file: Path) -> list[Any]:
    """Entries of the user's list; none where there is no list."""
    try:
        if not file.exists():
            return []
    except OSError as error:
        raise RegistryError(f"{file} can't be read: {error.strerror or error}") from error
    content = read_yaml(file)
    if content is None:
        return []
    if not isinstance(content, list):
        raise RegistryError(
            f"{file} holds a {type(content).__name__}; expected a list of predictors. Mend it, or move it "
            "away"
        )
    return content


def write_list(file: Path, entries: list[Any], appended: Mapping[str, Any] | None = None) -> None:
    """Write the list; an entry that is only appended leaves the text before it and its comments alone."""
    if appended is not None and file.exists():
        text = file.read_text(encoding="utf-8")
        text += ("" if text.endswith("\n") or not text else "\n") + _yaml([appended])
        try:
            if yaml_files.parse_yaml(text) == entries:
                write_atomically(file, text)
                return
        except ValueError:
            # A list in another style, that can't be continued: written anew below.
            pass
    write_atomically(file, _yaml(entries))


def _yaml(entries: list[Any]) -> str:
    return yaml.safe_dump(
        [dict(e) if isinstance(e, Mapping) else e for e in entries], sort_keys=False, allow_unicode=True
    )


@lru_cache(maxsize=1)
def offered_predictors() -> tuple[dict[str, Any], ...]:
    """Entries that installed packages offer; one that is broken is reported in the log and left out."""
    found = []
    for point in entry_points_of(ENTRY_POINT_GROUP):
        origin = f"entry point {point.name!r} ({point.value})"
        try:
            offered = point.load()
            offered = offered() if callable(offered) else offered
            entries = offered if isinstance(offered, (list, tuple)) else [offered]
            checked = [check_entry(entry, origin, Path.cwd()) for entry in entries]
            for entry in checked:
                if is_embedded(entry["name"]):
                    raise RegistryError(f"the name {entry['name']!r} is taken by an embedded predictor")
            found += checked
        except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's code, not to take ours down
            _LOGGER.warning("predictors of %s are left out: %s: %s", origin, type(error).__name__, error)
    return tuple(found)
