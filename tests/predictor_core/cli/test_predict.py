"""``nn-meter predict`` on files, folders and several devices."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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
    (text,) = re.findall(r"^\[RESULT\] predict latency for squeezenet\.json: ([\d.]+) ms", out, re.MULTILINE)
    expected = load_latency_predictor(CPU).predict(str(folder / "squeezenet.json"), "nnmeter-ir")
    assert float(text) == pytest.approx(expected, abs=1e-6)


def test_an_error_names_the_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "broken.onnx"
    path.write_text("broken")
    assert predict("--predictor", CPU, "--onnx", path) == 1
    assert capsys.readouterr().err.startswith("nn-meter: error: broken.onnx: it is no ONNX model: ")


def test_a_warning_of_many_devices_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", "pixel4*int8_tflite210", "--nn-meter-ir", folder / "squeezenet.json") == 0
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "is not quantised" in line)
    assert re.match(
        r"nn-meter: warning: squeezenet\.json on (pixel4_\w+, ){2}pixel4_\w+ and \d+ more: ", line
    )


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
    results, table = capsys.readouterr().out.split("\n\n")
    assert re.findall(r" ms \((\w+)\), 90 % interval", results) == [CPU, GPU]
    rows = [line.split()[0] for line in table.splitlines()]
    assert rows == ["predictor", CPU, GPU]


def test_all_predictors(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", "all", "--nn-meter-ir", folder / "alexnet.json") == 0
    from predictor_core import list_latency_predictors

    latest = {entry["name"] for entry in list_latency_predictors()}
    assert capsys.readouterr().out.count("[RESULT]") == len(latest) > 150


def test_a_pattern_means_the_predictors_that_match(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("--predictor", "ADRENO*", CPU, "--nn-meter-ir", folder / "alexnet.json") == 0
    assert re.findall(r" ms \((\w+)\)", capsys.readouterr().out) == [GPU, "adreno630gpu_tflite21", CPU]
    assert predict("--predictor", "cortx*", "--nn-meter-ir", folder / "alexnet.json") == 1
    assert "no predictor matches 'cortx*'" in capsys.readouterr().err


def test_several_models_on_several_devices_are_one_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [folder / f"{name}.json" for name in ("alexnet", "squeezenet")]
    assert predict("--predictor", CPU, GPU, "adreno630*", "--nn-meter-ir", *models) == 0
    results, table = capsys.readouterr().out.split("\n\n")
    lines = [line.split() for line in table.splitlines()]
    assert lines[0] == ["ms", "alexnet.json", "squeezenet.json"]
    shown = re.findall(r"for (\S+): ([\d.]+) ms \((\w+)\)", results)
    expected = {(device, model): f"{float(ms):.4g}" for model, ms, device in shown}
    assert {
        (line[0], model): ms for line in lines[1:] for model, ms in zip(lines[0][1:], line[1:])
    } == expected


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
    assert re.fullmatch(r".*alexnet\.json: [\d.]+ ms, 90 % interval [\d.]+ to [\d.]+ ms\n", shown.out)
    assert "interval" not in shown.err


def test_verbose_shows_the_kernels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "squeezenet.json"
    assert predict("--predictor", CPU, "--nn-meter-ir", path, "--verbose") == 0
    out = capsys.readouterr().out
    assert out.startswith("[RESULT] predict latency for squeezenet.json: ")
    assert "coverage" in out
    assert "conv-bn-relu" in out or "conv-relu" in out


def test_verbose_shows_all_kernels_in_the_width_of_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "densenet.json"
    path.write_text(json.dumps(to_document(zoo.build("densenet"))))
    kernels = load_latency_predictor(CPU).profile(str(path), "nnmeter-ir").kernels
    assert len(kernels) > 100
    monkeypatch.setenv("COLUMNS", "90")
    assert predict("--predictor", CPU, "--nn-meter-ir", path, "--verbose") == 0
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 90
    assert sum("%" in line for line in table) == len(kernels)
    assert "…" not in "".join(table)


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


def test_a_file_name_forges_no_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "evil" / "a\n[RESULT] predict latency for b: 1.0 ms\x1b[2J.json"
    path.parent.mkdir()
    path.write_text((folder / "alexnet.json").read_text())
    assert predict("--predictor", CPU, "--nn-meter-ir", path, "-v") == 0
    captured = capsys.readouterr()
    lines = [line for line in captured.out.splitlines() if line.startswith("[RESULT]")]
    assert len(lines) == 1
    assert lines[0].startswith(r"[RESULT] predict latency for a\n[RESULT]")
    assert "\x1b" not in captured.out + captured.err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_encoding_prints(folder: Path, encoding: str) -> None:
    path = folder / "names" / "große模型.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text((folder / "alexnet.json").read_text())
    arguments = ["predict", "--predictor", CPU, "--nn-meter-ir", str(path), "--verbose"]
    done = subprocess.run(
        [sys.executable, "-m", "predictor_core.cli.main", *arguments],
        capture_output=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert rb"\u6a21\u578b.json: " in done.stdout


def test_workers_give_the_answers_of_one_process(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [folder / "alexnet.json", folder / "squeezenet.json"] * 3
    assert predict("--predictor", CPU, "--nn-meter-ir", *models) == 0
    alone = capsys.readouterr().out
    monkeypatch.setattr("predictor_core.predictor.batch.WORKERS_WORTH_S", 0.0)
    assert predict("--predictor", CPU, "--nn-meter-ir", *models, "--jobs", "2") == 0
    assert capsys.readouterr().out == alone


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
    # Drawn again below the lines of each model that went past it.
    assert captured.err.index("0/2") < captured.err.index("1/2") < captured.err.index("2/2")
    assert len(captured.out.splitlines()) == 2
