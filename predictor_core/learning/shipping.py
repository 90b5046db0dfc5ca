"""Learned devices as they come with the package: a folder of headers, their list and a card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from predictor_core.catalog.embedded import HEADERS_FILE, LIST_FILE
from predictor_core.files import write_atomically
from predictor_core.learning.card import CARD_FILE
from predictor_core.predictor.collection import write_collection
from predictor_core.predictor.header import DeviceHeader


def ship(folder: Path, devices: Sequence[tuple[DeviceHeader, Mapping[str, Any]]], card: str) -> None:
    """Write devices: the same ones give the same bytes.

    Parameters
    ----------
    folder : Path
    devices : sequence of (DeviceHeader, mapping)
        With what the list of predictors tells of each: ``category``, ``hardware``, ``chip``, ``cores``,
        ``precision``, ``runtime`` and, where it differs from runtime and precision, ``population``.
    card : str
        Text of the card, Markdown.
    """
    headers = write_collection(folder / HEADERS_FILE, [header for header, _ in devices])
    digest = hashlib.sha256(headers.read_bytes()).hexdigest()
    lines = [
        json.dumps(
            {
                "name": header.name,
                "version": header.version,
                **entry,
                "accuracy": header.accuracy["cross_validated"]["within_10"],
            },
            ensure_ascii=False,
        )
        for header, entry in devices
    ]
    listed = ",\n".join(lines)
    write_atomically(folder / LIST_FILE, f'{{"sha256": "{digest}", "predictors": [\n{listed}\n]}}\n')
    write_atomically(folder / CARD_FILE, card)
