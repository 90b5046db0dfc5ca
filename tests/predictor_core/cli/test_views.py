"""The options of ``nn-meter predict`` that show reports."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from predictor_core.cli.main import main

CPU = "cortexA76cpu_tflite21"
GPU = "adreno640gpu_tflite21"


def predict(folder: Path, *arguments: Any, devices: tuple[str, ...] = (CPU,)) -> int:
    return main(["predict", str(folder / "squeezenet.json"), "--predictor", *devices, *map(str, arguments)])


def test_a_table_follows_the_result(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(model_files, "--table", "type") == 0
    result, table = capsys.readouterr().out.split("\n\n")
    assert result.startswith("[RESULT]")
    assert table.splitlines()[0].split() == ["type", "ms", "share", "kernels", "note"]
    assert "\x1b" not in table


def test_csv_is_all_that_stands_on_stdout(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--table", "kernel", "--format", "csv")
    assert predict(model_files, *options, devices=(CPU, GPU)) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["predictor"] for row in rows} == {CPU, GPU}
    assert all(float(row["latency_ms"]) >= 0.0 for row in rows)


def test_colours_on_a_terminal_alone(
    model_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert predict(model_files, "--table") == 0
    assert "\x1b[1m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert predict(model_files, "--table") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_files_are_written(model_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("r.html", "t.json", "o.json")
    options = [word for name, kind in zip(names, ("--html", "--trace", "--overlay")) for word in (kind, name)]
    options = [str(tmp_path / word) if word in names else word for word in options]
    assert predict(model_files, *options, devices=(CPU, GPU)) == 0
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert {path.name for path in tmp_path.glob("o.*")} == {f"o.{CPU}.json", f"o.{GPU}.json"}
    shown = capsys.readouterr()
    assert shown.err.count("nn-meter: wrote ") == 4
    assert "wrote" not in shown.out


def test_plots_are_written(model_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    picture, drawing = tmp_path / "r.png", tmp_path / "c.svg"
    assert predict(model_files, "--roofline", picture, "--cumulative", drawing) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in drawing.read_text()
    assert predict(model_files, "--roofline", tmp_path / "r.docx") == 2
    assert "ends in one of" in capsys.readouterr().err


def test_an_input_is_never_replaced(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (model_files / "squeezenet.json").read_bytes()
    assert predict(model_files, "--trace", model_files / "squeezenet.json") == 1
    assert "is an input" in capsys.readouterr().err
    assert (model_files / "squeezenet.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--depth", "2"), "belong to --table"),
        (("--format", "csv"), "belong to --table"),
        (("--table", "--json"), "expected one of them"),
        (("--table", "type", "--depth", "2"), "--depth goes with --table module"),
        (("--html", "-"), "--html writes to a file, not to stdout"),
        (("--table", "--depth", "0"), "expected a positive whole number"),
    ],
)
def test_options_that_do_not_go_together(
    model_files: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(model_files, *options) == 2
    assert message in capsys.readouterr().err
