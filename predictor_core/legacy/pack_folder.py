"""A folder in upstream's layout: ``<forest>.pkl`` files and ``fusion_rules.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from predictor_core.errors import PackError
from predictor_core.legacy.compact import CompactForests
from predictor_core.legacy.converted import ConvertedPack, load_converted, save_converted
from predictor_core.legacy.rules import load_rules
from predictor_core.legacy.sklearn_forest import PickledForest, read_forest

RULES_FILE = "fusion_rules.json"
#: The converted forests, beside the originals.
CONVERTED_FILE = "converted.forests"
#: Digests of the files, written when they were downloaded.
DIGESTS_FILE = "sha256.json"


def files_of(kernel_predictors: Iterable[str]) -> list[str]:
    """Names of the files of a pack with these forests."""
    return [*(f"{name}.pkl" for name in kernel_predictors), RULES_FILE]


def is_pack(folder: Path, kernel_predictors: Iterable[str] = ()) -> bool:
    """Whether the folder holds fusion rules and all of the named forests (at least one)."""
    return all((folder / file).is_file() for file in files_of(kernel_predictors)) and any(
        folder.glob("*.pkl")
    )


def load_folder(folder: Path) -> ConvertedPack:
    """Load a pack, converting its pickles the first time and whenever they change.

    Parameters
    ----------
    folder : Path
        Where the files are. The converted file is written there if that is allowed.

    Raises
    ------
    PackError
        A file is absent, malformed or refused, or differs from what was downloaded.
    """
    rules_path = folder / RULES_FILE
    pickles = sorted(folder.glob("*.pkl"))
    if not rules_path.is_file() or not pickles:
        raise PackError(
            f"the folder {folder} is no predictor: it needs {RULES_FILE} and at least one .pkl file"
        )
    source = {"files": [_fingerprint(path) for path in (*pickles, rules_path)]}
    converted_path = folder / CONVERTED_FILE
    pack = load_converted(converted_path, source)
    if pack is not None:
        return pack
    verify_digests(folder)
    rules = load_rules(rules_path)
    pack = ConvertedPack(CompactForests.from_pickled(_forests(pickles)), rules)
    try:
        save_converted(converted_path, pack, source)
    except OSError:
        # A read-only folder: the pack works, only the next load is as slow as this one.
        return pack
    return load_converted(converted_path, source) or pack


def verify_digests(folder: Path) -> None:
    """Compare the files with the digests recorded at their download, if there are any.

    Raises
    ------
    PackError
        A file is absent or has changed.
    """
    record = folder / DIGESTS_FILE
    if not record.is_file():
        return
    try:
        digests = json.loads(record.read_text(encoding="utf-8"))["files"]
        items = sorted(digests.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PackError(
            f"{record} is damaged; delete the folder {folder} to download the pack again"
        ) from error
    for name, digest in items:
        path = folder / Path(name).name
        if not path.is_file() or file_digest(path) != digest:
            raise PackError(
                f"{path} is not the file that was downloaded (its SHA-256 differs); delete the folder "
                f"{folder} to download the pack again"
            )


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _fingerprint(path: Path) -> list[Any]:
    status = path.stat()
    return [path.name, status.st_size, status.st_mtime_ns]


def _forests(pickles: Iterable[Path]) -> Iterator[tuple[str, PickledForest]]:
    for path in pickles:
        yield path.stem, read_forest(path)
