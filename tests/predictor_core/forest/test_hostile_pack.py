"""Packs whose digest is right and whose content is wrong."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz import pack_seeds
from predictor_core.errors import PackError
from predictor_core.forest import load_pack
from predictor_core.predictor import LatencyPredictor

DEVICE = Path(__file__).parents[3] / "predictor_core" / "devices" / "cortexA76cpu_tflite21"


def _changed(folder: Path, change: Callable[[dict[str, Any]], object], arrays: bytes | None = None) -> Path:
    (content,) = pack_seeds()
    (length,) = struct.unpack_from("<I", content, 8)
    header = json.loads(content[12 : 12 + length])
    change(header)
    text = json.dumps(header).encode()
    body = content[:8] + struct.pack("<I", len(text)) + text + (arrays or content[12 + length : -32])
    path = folder / "forests.pack"
    path.write_bytes(body + hashlib.sha256(body).digest())
    (folder / "fusion_rules.yaml").write_bytes((DEVICE / "fusion_rules.yaml").read_bytes())
    return path


def test_the_pack_itself_is_sound(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda header: None)

    assert LatencyPredictor.from_pack(path).overhead_ms > 0.0
    assert np.isfinite(next(iter(load_pack(path).forests.values())).arrays.value).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("interval"),
        lambda header: header["interval"].update(inside=-1.0),
        lambda header: header["interval"].update(spread_scale=0.0),
        lambda header: header["interval"].update(outside="wide"),
        lambda header: header.update(constant_ms=float("nan")),
        lambda header: header.update(constant_ms=-1.0),
        lambda header: header["estimate"].update(macs_per_ms=0.0),
        lambda header: header["estimate"].pop("launch_ms"),
        lambda header: next(iter(header["forests"].values())).update(n_features=3),
        lambda header: next(iter(header["forests"].values())).update(ranges=[[0, 1]]),
    ],
)
def test_every_part_that_a_report_needs_is_checked_at_load(
    change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    with pytest.raises(PackError):
        LatencyPredictor.from_pack(_changed(tmp_path, change))


def _numbers(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the numbers of a header stand."""
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in _numbers(part, (*path, key))]
    if isinstance(value, list):
        return [found for place, part in enumerate(value[:2]) for found in _numbers(part, (*path, place))]
    return [path] if isinstance(value, float) else []


def test_no_number_of_a_header_is_infinite(tmp_path: Path) -> None:
    (content,) = pack_seeds()
    (length,) = struct.unpack_from("<I", content, 8)
    header = json.loads(content[12 : 12 + length])
    places = _numbers(header)
    assert len(places) > 20
    for place in places:
        changed = json.loads(json.dumps(header))
        part = changed
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = "too large"
        # JSON has no infinity, but numbers that become one.
        text = json.dumps(changed).replace('"too large"', "1e999").encode()
        body = content[:8] + struct.pack("<I", len(text)) + text + content[12 + length : -32]
        path = tmp_path / "forests.pack"
        path.write_bytes(body + hashlib.sha256(body).digest())
        with pytest.raises(PackError, match="1e999, which is no number"):
            load_pack(path)


@pytest.mark.parametrize(
    ("part", "number", "message"),
    [
        ("value", float("nan"), "a leaf is outside"),
        ("value", float("inf"), "a leaf is outside"),
        ("value", 1e4, "a leaf is outside"),
        ("threshold", float("nan"), "not a finite number"),
        ("feature", 255, "compares a feature outside"),
    ],
)
def test_trees_whose_numbers_are_none(part: str, number: float, message: str, tmp_path: Path) -> None:
    (content,) = pack_seeds()
    (length,) = struct.unpack_from("<I", content, 8)
    header = json.loads(content[12 : 12 + length])
    start = 12 + length + (header["n_nodes"] + 7) // 8
    inner = (header["n_nodes"] - header["n_trees"]) // 2
    places = {"feature": (start, "<u1"), "threshold": (start + inner, "<f4")}
    places["value"] = (start + 5 * inner, {"float16": "<f2", "float64": "<f8"}[header["value_type"]])
    changed = bytearray(content[:-32])
    place, kind = places[part]
    written = np.array([number]).astype(kind).tobytes()
    changed[place : place + len(written)] = written
    path = tmp_path / "forests.pack"
    path.write_bytes(changed + hashlib.sha256(changed).digest())

    with pytest.raises(PackError, match=message):
        load_pack(path)
