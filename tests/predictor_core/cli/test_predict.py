"""``nn-meter predict`` on files, folders and several devices."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from predictor_core import load_latency_predictor, zoo
from predictor_core.cli.main import main
from predictor_core.frontends.nnmeter_ir import to_document

CPU = "cortexA76cpu_tflite21"
GPU = "adreno640gpu_tflite21"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two IR files and one that is none."""
    path = tmp_path_factory.mktemp("models")
    for name in ("squeezenet", "alexnet"):
        (path / f"{name}.json").write_text(json.dumps(to_document(zoo.build(name))))
    (path / "broken.json").write_text('{"half":')
    (path / "notes.txt").write_text("not a model")
    return path


def predict(*arguments: Any) -> int:
    return main(["predict", *map(str, arguments)])


def test_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", CPU.upper(), "--nn-meter-ir", folder / "squeezenet.json") == 0
    out = capsys.readouterr().out
    (text,) = re.findall(r"^\[RESULT\] predict latency for squeezenet\.json: ([\d.]+) ms$", out, re.MULTILINE)
    expected = load_latency_predictor(CPU).predict(str(folder / "squeezenet.json"), "nnmeter-ir")
    assert float(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_in_a_folder_one_bad_file_does_not_stop_the_rest(
    folder: Path, jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict("--predictor", CPU, "--nn-meter-ir", folder, "--jobs", jobs) == 1
    captured = capsys.readouterr()
    assert [line.split(":")[0] for line in captured.out.splitlines()] == [
        "[RESULT] predict latency for alexnet.json",
        "[RESULT] predict latency for squeezenet.json",
    ]
    errors = [line for line in captured.err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert errors[0].startswith("nn-meter: error: broken.json: ")
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("arguments", [(CPU, GPU), (CPU, "--predictor", GPU), (CPU, CPU.lower(), GPU)])
def test_several_predictors(
    folder: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict("--predictor", *arguments, "--nn-meter-ir", folder / "alexnet.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[line.rindex(" ms") :] for line in lines] == [f" ms ({CPU})", f" ms ({GPU})"]


def test_all_predictors(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", "all", "--nn-meter-ir", folder / "alexnet.json") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", CPU, GPU, "--nn-meter-ir", folder, "--json") == 1
    rows = json.loads(capsys.readouterr().out)
    good = [row for row in rows if "error" not in row]
    assert [(row["model"], row["predictor"]) for row in good] == [
        ("alexnet.json", CPU),
        ("alexnet.json", GPU),
        ("squeezenet.json", CPU),
        ("squeezenet.json", GPU),
    ]
    assert all(row["latency_ms"] > 0 and 0 <= row["coverage"] <= 1 for row in good)
    (bad,) = [row for row in rows if "error" in row]
    assert bad["path"] == str(folder / "broken.json")
    for row in good:
        low_ms, high_ms = row["interval_ms"]
        assert low_ms < row["latency_ms"] < high_ms
        total_ms = sum(kernel["latency_ms"] for kernel in row["kernels"])
        assert total_ms + row["overhead_ms"] == pytest.approx(row["latency_ms"])


def test_the_interval_is_shown_beside_the_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", CPU, "--nn-meter-ir", folder / "alexnet.json") == 0
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1
    assert re.search(r"alexnet\.json: 90 % interval [\d.]+ to [\d.]+ ms", shown.err)


def test_verbose_shows_the_kernels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "squeezenet.json"
    assert predict("--predictor", CPU, "--nn-meter-ir", path, "--verbose") == 0
    out = capsys.readouterr().out
    assert out.startswith("[RESULT] predict latency for squeezenet.json: ")
    assert "coverage" in out
    assert "conv-bn-relu" in out or "conv-relu" in out


def test_models_of_one_name_are_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "alexnet.json").write_text((folder / "alexnet.json").read_text())
    paths = (folder / "alexnet.json", other / "alexnet.json")
    assert predict("--predictor", CPU, "--nn-meter-ir", *paths) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [f"for {path}: " in line for path, line in zip(paths, lines)] == [True, True]


def test_missing_and_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", CPU, "--nn-meter-ir", tmp_path / "none.json", tmp_path) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"nn-meter: error: {tmp_path}/none.json: no such file or folder",
        f"nn-meter: error: {tmp_path}: the folder holds no .json file",
    ]


def test_strict_refuses_an_estimate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads((folder / "alexnet.json").read_text())
    softmax = dict(next(node for node in document.values() if node["attr"]["type"] == "Relu"))
    softmax = json.loads(json.dumps(softmax).replace("Relu", "NotAnOp"))
    name = softmax["attr"]["name"]
    document[name] = softmax
    path = folder / "odd" / "odd.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    assert predict("--predictor", CPU, "--nn-meter-ir", path) == 0
    assert "NotAnOp" in capsys.readouterr().err
    assert predict("--predictor", CPU, "--nn-meter-ir", path, "--strict") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "strict" in captured.err


def test_a_terminal_sees_a_progress_bar(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--predictor", CPU, "--nn-meter-ir", folder / "alexnet.json", folder / "squeezenet.json")
    assert predict(*arguments) == 0
    assert "model/s" not in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert predict(*arguments) == 0
    captured = capsys.readouterr()
    assert "0/2" in captured.err
    assert len(captured.out.splitlines()) == 2
