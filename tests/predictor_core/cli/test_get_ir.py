"""``nn-meter get_ir``: the default name, ``--output``, and IR that gives the model's own latency."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from predictor_core.cli.main import main

MODEL = Path(__file__).parents[3] / "examples" / "models" / "mobilenet_v2.onnx"
CPU = "cortexA76cpu_tflite21"

pytest.importorskip("onnx")


def latency_ms(flag: str, path: Path, capsys: pytest.CaptureFixture[str]) -> float:
    assert main(["predict", "--predictor", CPU, flag, str(path)]) == 0
    (text,) = re.findall(r": ([\d.]+) ms", capsys.readouterr().out, re.MULTILINE)
    return float(text)


def test_the_default_name_stands_beside_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Path(shutil.copy(MODEL, tmp_path))
    assert main(["get_ir", "--onnx", str(model)]) == 0
    target = tmp_path / "mobilenet_v2_onnx_ir.json"
    assert capsys.readouterr().out == f"[RESULT] nn-Meter IR of mobilenet_v2.onnx: {target}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mobilenet_v2.onnx", target.name]
    assert latency_ms("--nn-meter-ir", target, capsys) == latency_ms("--onnx", model, capsys)


def test_output_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "ir.json"
    assert main(["get_ir", "--onnx", str(MODEL), "--output", str(target)]) == 0
    document = json.loads(target.read_text())
    assert all({"inbounds", "outbounds", "attr"} <= set(node) for node in document.values())


def test_a_folder_goes_to_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("a", "b"):
        shutil.copy(MODEL, models / f"{name}.onnx")
    (models / "bad.onnx").write_bytes(b"\x89PNG\r\n")
    out = tmp_path / "out"
    assert main(["get_ir", "--onnx", str(models), "--output", str(out)]) == 1
    captured = capsys.readouterr()
    assert sorted(path.name for path in out.iterdir()) == ["a_onnx_ir.json", "b_onnx_ir.json"]
    assert captured.err.startswith("nn-meter: error: bad.onnx: ")
    assert len(captured.err.splitlines()) == 1


def test_several_models_do_not_fit_in_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "ir.json"
    target.touch()
    assert main(["get_ir", "--onnx", str(MODEL), str(MODEL), "--output", str(target)]) == 2
    assert "is a file, but there are 2 models" in capsys.readouterr().err


def test_a_missing_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get_ir", "--tensorflow", str(tmp_path / "none.pb")]) == 1
    assert "none.pb: no such file or folder" in capsys.readouterr().err


def test_two_models_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / name / "m.onnx" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        shutil.copy(MODEL, path)
    assert main(["get_ir", "--onnx", *map(str, paths), "--output", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{paths[0]} and {paths[1]} would both be written to {tmp_path / 'out' / 'm_onnx_ir.json'}" in (
        captured.err
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_input_is_never_written_over(
    tmp_path: Path, force: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path(shutil.copy(MODEL, tmp_path))
    link = tmp_path / "link.json"
    link.symlink_to(model)
    for output in (model, link):
        assert main(["get_ir", "--onnx", str(model), "--output", str(output), *force]) == 1
        assert "is an input and is not written over" in capsys.readouterr().err
    assert model.read_bytes() == MODEL.read_bytes()


def test_a_file_is_overwritten_with_force_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, link = tmp_path / "ir.json", tmp_path / "link.json"
    target.write_text("mine")
    link.symlink_to(target)
    arguments = ["get_ir", "--onnx", str(MODEL), "--output", str(link)]
    assert main(arguments) == 1
    assert "exists; choose another output, or allow to overwrite it (--force)" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())


def test_a_pipe_stays_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert main(["get_ir", "--onnx", str(MODEL), "--output", str(pipe), "--force"]) == 1
    assert "is a pipe, socket or device" in capsys.readouterr().err
    assert pipe.is_fifo()
