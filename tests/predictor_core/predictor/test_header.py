"""The header of a learned device: written, read, and refused where a value is not what it should be."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import PackError
from predictor_core.predictor.header import MAX_HEADER_BYTES, DeviceHeader

CONTENT: dict[str, Any] = {
    "format": 1,
    "name": "phone",
    "version": "1.0",
    "category": "cpu",
    "description": "a phone",
    "sources": [{"name": "cortexA76cpu_tflite21", "version": "2.0", "sha256": "0" * 64}],
    "scale_ms": {"launch": 0.01, "byte": 1e-7, "mac": 1e-7, "constant": 0.5},
    "centers": {"conv": [[1.0, 2.0, 3.0, 0.0, 0.0]]},
    "coefficients": {"all:": 0.5, "near:conv/0": -0.1},
    "variances": {"all:": 0.01},
    "ranges": {"conv": [[0.0, 1.0]] * 5},
    "measured": ["conv/1"],
    "interval": {"inside": 0.1, "outside": 0.2, "estimated": 0.7, "unfamiliar": 0.1, "spread_scale": 0.1},
    "accuracy": {"verdict": "good"},
    "facts": {"models": 12},
}


def test_it_survives_writing_and_reading(tmp_path: Path) -> None:
    header = DeviceHeader.from_dict(CONTENT)
    assert header.to_dict() == CONTENT
    header.write(tmp_path)
    assert DeviceHeader.read(tmp_path) == header
    first = (tmp_path / "header.json").read_bytes()
    header.write(tmp_path)
    assert (tmp_path / "header.json").read_bytes() == first


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), 2, "has format 2"),
        (("name",), "", "'name' is ''"),
        (("name",), 7, "'name' is 7"),
        (("sources",), [], "'sources' must hold name, version and sha256"),
        (("sources",), [{"name": "x", "version": "1", "sha256": "abc"}], "'sources' must hold"),
        (("coefficients",), [1], "'coefficients' is [1]; expected a mapping"),
        (("coefficients", "all:"), float("nan"), "coefficients.all: is nan"),
        (("coefficients", "all:"), 1e9, "coefficients.all: is 1000000000.0; expected a number from"),
        (("coefficients", "all:"), True, "coefficients.all: is True"),
        (("coefficients", "all:"), "1", "coefficients.all: is '1'"),
        (("scale_ms", "mac"), 0.0, "scale_ms.mac is 0.0"),
        (("scale_ms",), {"mac": 1.0}, "'scale_ms' must hold launch, byte, mac and constant"),
        (("variances", "all:"), -1.0, "variances.all: is -1.0"),
        (("centers", "conv"), [[1.0, "x"]], "centers.conv is 'x'"),
        (("centers", "conv"), 3, "centers.conv is 3"),
        (("centers", "conv"), [[0.0] * 5] * 2000, "'centers' holds more than"),
        (("interval", "spread_scale"), 0.0, "spread_scale > 0"),
        (("measured",), "conv", "'measured' is 'conv'; expected a list"),
        (("accuracy",), [], "'accuracy' is []"),
    ],
)
def test_a_value_out_of_place_is_named(path: tuple[str, ...], value: Any, message: str) -> None:
    content = copy.deepcopy(CONTENT)
    part = content
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(PackError) as caught:
        DeviceHeader.from_dict(content)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, json.dumps(CONTENT)[:-20]])
def test_files_that_are_no_header(tmp_path: Path, text: str) -> None:
    (tmp_path / "header.json").write_text(text)
    with pytest.raises(PackError):
        DeviceHeader.read(tmp_path)


def test_absent_and_oversized_files(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="can't read the device header"):
        DeviceHeader.read(tmp_path)
    (tmp_path / "header.json").write_text(" " * (MAX_HEADER_BYTES + 1))
    with pytest.raises(PackError, match="is no device header"):
        DeviceHeader.read(tmp_path)
