"""Predictors that the package knows by itself, embedded or downloadable."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from predictor_core.yaml_files import read_yaml

#: Folder of the package, where the embedded predictors are.
PACKAGE = Path(__file__).parents[1]

#: Folder of the phones that were learned from public measurements, and its files.
PHONES = PACKAGE / "devices" / "phones"
PHONES_LIST, PHONES_HEADERS = "predictors.json", "headers.jsonl"


@lru_cache(maxsize=1)
def embedded_predictors() -> tuple[dict[str, Any], ...]:
    """Entries of the predictors that the package knows by itself, oldest version first."""
    return (*read_yaml(Path(__file__).with_name("predictors.yaml")), *_phones())


def is_embedded(name: str) -> bool:
    """Whether the package knows a predictor of that name by itself; case does not matter."""
    wanted = name.strip().lower()
    return any(entry["name"].lower() == wanted for entry in embedded_predictors())


def _phones() -> list[dict[str, Any]]:
    """Entries of the phones; JSON, because a hundred and more of them in YAML take long."""
    try:
        text = (PHONES / PHONES_LIST).read_text(encoding="utf-8")
    except FileNotFoundError:
        # While they are made.
        return []
    content = json.loads(text)
    common = {"headers": f"devices/{PHONES.name}/{PHONES_HEADERS}", "sha256": content["sha256"]}
    return [{**entry, **common} for entry in content["predictors"]]
