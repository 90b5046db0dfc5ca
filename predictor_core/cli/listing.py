"""``nn-meter --list-predictors``, ``list`` and ``devices``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from predictor_core.catalog import PACKAGE, list_latency_predictors


def list_predictors(verbose: bool, as_json: bool) -> int:
    """Print every predictor and version; `verbose` adds category and origin."""
    entries = list_latency_predictors()
    if as_json:
        print(json.dumps(entries, indent=2))
        return 0
    for entry in entries:
        line = f"[Predictor] {entry['name']}: version={entry['version']}"
        if verbose:
            line += f", category={entry['category']}, {_origin(entry)}"
        print(line)
    return 0


def _origin(entry: dict[str, Any]) -> str:
    if "pack" in entry:
        return "embedded"
    if "download" in entry:
        return f"downloaded on first use from {entry['download']}"
    return "your own"


def list_devices(as_json: bool) -> int:
    """Print the device cards: the hardware, framework and conditions that the numbers stand for."""
    import yaml

    cards = [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted((PACKAGE / "devices").glob("*/device.yaml"))
    ]
    if as_json:
        print(json.dumps(cards, indent=2, default=str))
        return 0
    print("\n\n".join("\n".join(_lines(card)) for card in cards))
    return 0


def _lines(card: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Lines of a card: one a key, nested keys indented below their own."""
    width = max((len(str(key)) for key, value in card.items() if not isinstance(value, dict)), default=0)
    for key, value in card.items():
        if isinstance(value, dict):
            yield f"{indent}{key}"
            yield from _lines(value, indent + "  ")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{indent}{key:<{width}}  {' '.join(text.split())}"
