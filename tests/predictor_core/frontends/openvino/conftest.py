"""The OpenVINO fixtures as files, without their ``.bin`` but for those with bodies."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "openvino"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the function that unpacks a fixture by name."""
    folder = tmp_path_factory.mktemp("openvino")

    def unpack(name: str) -> Path:
        path = folder / f"{name}.xml"
        for ending in (".xml", ".bin"):
            packed, target = FIXTURES / f"{name}{ending}.gz", path.with_suffix(ending)
            if packed.exists() and not target.exists():
                target.write_bytes(gzip.decompress(packed.read_bytes()))
        return path

    return unpack
