"""Arguments, exit statuses, and what goes to which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import predictor_core
from predictor_core.cli.main import main
from tests.devices import DEVICES

COMMAND = [sys.executable, "-m", "predictor_core.cli.main"]


@pytest.mark.parametrize("arguments", [["--list-predictors"], ["list"]])
def test_list_predictors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for device in DEVICES:
        assert f"[Predictor] {device}: version=1.0" in lines
        assert f"[Predictor] {device}: version=2.0" in lines


@pytest.mark.parametrize("arguments", [["--list-predictors", "--verbose"], ["list", "-v"], ["-v", "list"]])
def test_verbose_list_says_where_packs_come_from(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "version=2.0, category=cpu, embedded" in out
    assert "version=1.0, category=vpu, downloaded on first use from https://" in out


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == predictor_core.list_latency_predictors()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nn-meter {predictor_core.__version__}\n"


def test_the_package_runs_as_the_command() -> None:
    command = [sys.executable, "-W", "error", "-m", "predictor_core", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nn-meter ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: nn-meter"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["predict"], "required: --predictor"),
        (["predict", "--predictor", DEVICES[0]], "one of the arguments --tensorflow --onnx"),
        (["predict", "--predictor", DEVICES[0], "--onnx", "a", "--tensorflow", "b"], "not allowed with"),
        (["predict", "--predictor", DEVICES[0], "--onnx", "a", "--jobs", "0"], "positive whole number"),
        (["predict", "--predictor", DEVICES[0], "--onnx", "a", "--input-shape", "1,-3"], "got '1,-3'"),
        (["get_ir"], "one of the arguments --tensorflow --onnx"),
    ],
)
def test_wrong_usage_is_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pedict"], "did you mean 'predict'?"),
        (["predict", "--predictr", DEVICES[0], "--onnx", "a"], "for --predictr, did you mean '--predictor'"),
        (["predict", "--predictor", DEVICES[0], "--onxx", "a"], "for --onxx, did you mean '--onnx'"),
        (["list", "--jsn"], "for --jsn, did you mean '--json'"),
    ],
)
def test_close_words_are_suggested(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--predictor", "cortexA76cpu_tflite12"], "did you mean 'cortexA76cpu_tflite21'?"),
        (["--predictor", "nope"], "unknown predictor 'nope'; these exist: cortexA76cpu_tflite21"),
        (["--predictor", DEVICES[0], "--predictor-version", "7"], "no version '7'; these exist: 1.0, 2.0"),
    ],
)
def test_unknown_predictor_is_status_1(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", *arguments, "--onnx", "model.onnx"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err


def test_an_unexpected_error_is_one_line_and_debug_shows_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise KeyError("lost")

    monkeypatch.setattr("predictor_core.cli.listing.entries", broken)
    assert main(["--list-predictors"]) == 1
    assert capsys.readouterr().err == (
        "nn-meter: error: unexpected KeyError: 'lost'; --debug shows where it comes from\n"
    )
    assert main(["--debug", "--list-predictors"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("predictor_core.cli.listing.entries", interrupted)
    assert main(["--list-predictors"]) == 130
    assert capsys.readouterr().err == "nn-meter: interrupted\n"


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        done = subprocess.run([*COMMAND, "--list-predictors"], stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 141
    assert done.stderr == ""


def test_the_list_loads_no_heavy_package() -> None:
    script = (
        "import sys; from predictor_core.cli.main import main; main(['--list-predictors']);"
        "print(*{'numpy', 'torch', 'onnx', 'tqdm', 'joblib', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
