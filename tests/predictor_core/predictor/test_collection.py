"""Many headers in one file."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from predictor_core.catalog.embedded import HEADERS_FILE, PHONES
from predictor_core.errors import PackError
from predictor_core.predictor.collection import read_collection, write_collection

STOCK = "pixel4_cpu1med_fp32_tflite210"


def test_headers_come_back_as_they_were(tmp_path: Path) -> None:
    first = load_latency_predictor(STOCK).device_header
    second = replace(first, name="other", measured=("conv/1",), coefficients={"all:": 0.5})
    path = write_collection(tmp_path / "headers.jsonl", [first, second])
    assert read_collection(path, STOCK) == first
    assert read_collection(path, "other") == second
    again = write_collection(tmp_path / "again.jsonl", [first, second])
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"coefficients":[', '"coefficients":["x",', "damaged"),
        ('"of":0', '"of":7', "damaged"),
        ('{"group":', '{"gruop":', "damaged|holds no device"),
        (f'{{"name":"{STOCK}"', '{"name":"absent"', "holds no device"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_collection(tmp_path / "headers.jsonl", [load_latency_predictor(STOCK).device_header])
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(PackError, match=message):
        read_collection(path, STOCK)


def test_another_file_than_the_released_one_is_refused(tmp_path: Path) -> None:
    released = PHONES / HEADERS_FILE
    digest = hashlib.sha256(released.read_bytes()).hexdigest()
    other = tmp_path / "headers.jsonl"
    other.write_bytes(released.read_bytes() + b"\n")
    assert read_collection(released, STOCK, digest).name == STOCK
    with pytest.raises(PackError, match="is not the file that was released"):
        read_collection(other, STOCK, digest)
