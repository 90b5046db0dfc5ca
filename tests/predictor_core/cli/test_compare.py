from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor_core.cli.main import main

CPU = "cortexA76cpu_tflite21"


def compare(folder: Path, *words: str) -> int:
    paths = [str(folder / word) if word.endswith(".json") else word for word in words]
    return main(["compare", *paths, "--predictor", CPU])


def test_two_models(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(model_files, "alexnet.json", "squeezenet.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"alexnet.json -> squeezenet.json on {CPU} 2.0"
    assert lines[3].startswith("change: +")
    assert lines[4].startswith("explained by: +")


def test_several_devices_as_json(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(model_files / name) for name in ("squeezenet.json", "alexnet.json", "squeezenet.json")]
    assert main(["compare", *paths, "--predictor", CPU, "adreno640*", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 4
    assert [one["change_ms"] == 0.0 for one in found] == [False, False, True, True]


def test_one_model_is_not_enough(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(model_files, "squeezenet.json") == 2
    assert "at least two models to compare, got 1" in capsys.readouterr().err


def test_a_model_that_can_not_be_read_is_status_1(
    model_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(model_files, "squeezenet.json", "none.json") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no such file" in captured.err
