"""The OpenVINO fixtures as files, without their ``.bin``."""

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
        if not path.exists():
            path.write_bytes(gzip.decompress((FIXTURES / f"{name}.xml.gz").read_bytes()))
        return path

    return unpack
