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
