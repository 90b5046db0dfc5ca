"""Predictors that the package knows by itself, embedded or downloadable."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from predictor_core.yaml_files import read_yaml

#: Folder of the package, where the embedded predictors are.
PACKAGE = Path(__file__).parents[1]

#: Folders of devices that were learned from measurements of whole models, and their files.
PHONES, X86 = PACKAGE / "devices" / "phones", PACKAGE / "devices" / "x86"
LIST_FILE, HEADERS_FILE = "predictors.json", "headers.jsonl"


@lru_cache(maxsize=1)
def embedded_predictors() -> tuple[dict[str, Any], ...]:
    """Entries of the predictors that the package knows by itself, oldest version first."""
    return (*read_yaml(Path(__file__).with_name("predictors.yaml")), *_learned(PHONES), *_learned(X86))


def is_embedded(name: str) -> bool:
    """Whether the package knows a predictor of that name by itself; case does not matter."""
    wanted = name.strip().lower()
    return any(entry["name"].lower() == wanted for entry in embedded_predictors())


def _learned(folder: Path) -> list[dict[str, Any]]:
    """Entries of the devices in a folder; JSON, because a hundred and more of them in YAML take long."""
    try:
        text = (folder / LIST_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        # While they are made.
        return []
    content = json.loads(text)
    common = {"headers": f"devices/{folder.name}/{HEADERS_FILE}", "sha256": content["sha256"]}
    return [{**entry, **common} for entry in content["predictors"]]
