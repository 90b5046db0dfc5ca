"""Device cards: what the hardware, the runtime and the accuracy of a predictor are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from predictor_core.catalog.embedded import PACKAGE
from predictor_core.yaml_files import read_yaml

#: File of a card in the folder of a predictor.
CARD_FILE = "device.yaml"

#: Share in % of unseen models within ±10 %, below which a predictor is rough.
ROUGH_BELOW = 80.0

_TEXTS = ("chip", "cores", "precision", "runtime")


def card_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card of a predictor of the list; empty where it has none that can be read."""
    if "headers" in entry:
        from predictor_core.predictor.collection import read_collection
        from predictor_core.predictor.header_card import header_card

        path = PACKAGE / entry["headers"]
        return header_card(entry, read_collection(path, str(entry["name"]), entry["sha256"]))
    if "package_location" in entry:
        folder = Path(entry["package_location"])
    elif "pack" in entry:
        folder = (PACKAGE / entry["pack"]).parent
    else:
        folder = PACKAGE / "devices" / str(entry["name"])
    return dict(_read(folder / CARD_FILE))


def facts_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list of devices shows of a predictor.

    Parameters
    ----------
    entry : mapping
        Of the list of predictors. What the entry says itself goes before what its card says.

    Returns
    -------
    dict
        ``chip``, ``cores``, ``precision``, ``runtime`` (strings) and ``accuracy`` (share in % of models that
        no fit has seen whose prediction is within ±10 % of the measurement); no key where it is not known.
    """
    card = card_of(entry) if any(entry.get(key) is None for key in (*_TEXTS, "accuracy")) else {}
    facts: dict[str, Any] = {}
    for key in _TEXTS:
        value = entry.get(key, card.get(key))
        if value is not None:
            facts[key] = str(value)
    # A predictor that is only downloaded has the hardware in common with the embedded one, no more.
    accuracy = entry.get("accuracy", None if "download" in entry else card.get("within_10_percent"))
    if isinstance(accuracy, (int, float)) and not isinstance(accuracy, bool):
        facts["accuracy"] = float(accuracy)
    return facts


@lru_cache(maxsize=1024)
def _read(path: Path) -> Mapping[str, Any]:
    try:
        card = read_yaml(path)
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}
