"""The TensorFlow Lite fixtures as files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the function that unpacks a fixture by name; ``NAME.pb`` is one of the TensorFlow fixtures."""
    folder = tmp_path_factory.mktemp("tflite")

    def unpack(name: str) -> Path:
        source = f"tensorflow/{name}.gz" if name.endswith(".pb") else f"tflite/{name}.tflite.gz"
        path = folder / source.rpartition("/")[2].removesuffix(".gz")
        if not path.exists():
            path.write_bytes(gzip.decompress((FIXTURES / source).read_bytes()))
        return path

    return unpack


@pytest.fixture(scope="session")
def interpreter() -> dict[str, list[Any]]:
    """Return what LiteRT's interpreter says of the ops of each fixture: name, shapes read, shapes written."""
    known: dict[str, list[Any]] = {}
    for file in (FIXTURES / "tflite").glob("interpreter*.json.gz"):
        known.update(json.loads(gzip.decompress(file.read_bytes())))
    return known
