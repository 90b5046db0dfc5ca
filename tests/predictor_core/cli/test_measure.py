"""``nn-meter measure``, ``measurements convert`` and ``plan``, as a user calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core import zoo
from predictor_core.cli.main import main
from predictor_core.measuring.measurements import read_measurements

LOGS = Path(__file__).resolve().parents[2] / "fixtures" / "logs"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    pytest.importorskip("onnx")
    from predictor_core.frontends.onnx.writing import graph_to_onnx

    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("squeezenet", "mobilenetv2"):
        graph = zoo.build(name, input_shape=(1, 32, 32, 3), classes=10)
        (folder / f"{name}.onnx").write_bytes(graph_to_onnx(graph).SerializeToString())
    return folder


def test_measure_prints_and_writes(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    output = tmp_path / "m.csv"
    command = ["measure", str(models), "--seconds", "0.02", "--wait", "0", "--output", str(output)]
    assert main(command) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("[RESULT] measured latency for ") and line.endswith(" ms") for line in lines)
    assert "next, nn-meter learn" in printed.err
    assert len(read_measurements(output)) == 2
    assert main(command) == 0
    assert f"2 of 2 timings are from before, in {output}" in capsys.readouterr().err
    assert main([*command, "-v"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("measured before") == 2


def test_measure_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "x.onnx").write_bytes(b"?")
    assert main(["measure", str(tmp_path / "x.onnx")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert "onnxruntime can't run the model" in printed.err
    assert main(["measure", str(tmp_path / "absent.onnx")]) == 1
    assert capsys.readouterr().err.count("absent.onnx") == 1
    assert main(["measure", "x.onnx", "--threads", "0"]) == 2
    assert main(["measure", "x.onnx", "--seconds", "nan"]) == 2
    assert main(["measure", "x.onnx", "--seconds", "0"]) == 2
    assert main(["measure", "x.onnx", "--wait", "-1"]) == 2
    assert main(["measure", "x.onnx", "--wait", "x"]) == 2


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "squeezenet.onnx").touch()
    output = tmp_path / "m.csv"
    logs = [str(LOGS / name) for name in ("tflite_new.log", "ncnn_benchncnn.log")]
    assert main(["measurements", "convert", *logs, "--models", str(models), "--output", str(output)]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "[RESULT] measured latency for mobilenetv2: 8.24 ms"
    assert "3 models are known by name only" in printed.err
    rows = read_measurements(output)
    assert [row.latency_ms for row in rows] == [8.24, 13.5619, 7.3, 6.58, 11.01]
    assert rows[1].model == rows[2].model == str(models / "squeezenet.onnx")
    assert rows[3].environment == "ncnn, 4 threads, int8"


def test_convert_of_some_environments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "m.csv"
    log = str(LOGS / "aihub_2025_perf.yaml")
    assert main(["measurements", "convert", log, "--only", "tflite, Samsung", "--output", str(output)]) == 0
    assert [row.latency_ms for row in read_measurements(output)] == [0.613, 0.29]


def test_convert_without_a_measurement_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "m.csv"
    assert main(["measurements", "convert", str(tmp_path / "absent"), "--output", str(output)]) == 1
    assert not output.exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_plan_of_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planned_space.py").write_text(
        "from predictor_core import zoo\n"
        "def model(random):\n"
        "    channels = [random.choice([8, 16, 24]) for _ in range(8)]\n"
        "    return zoo.build('squeezenet', channels=channels, squeeze=[4] * 8, input_shape=(1, 32, 32, 3))\n"
    )
    folder = tmp_path / "plan"
    assert main(["plan", "--budget", "3", "--space", "planned_space:model", "--output", str(folder)]) == 0
    printed = capsys.readouterr()
    names = [line.split()[1].rstrip(":") for line in printed.out.splitlines()]
    assert len(names) == 3
    assert all((folder / f"{name}.onnx").is_file() for name in names)
    assert "nn-meter measure" in printed.err
    assert main(["plan", "--budget", "0", "--output", str(folder)]) == 2


def test_a_plan_that_has_no_place_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.onnx"
    file.touch()
    for output in (file, file / "plan"):
        assert main(["plan", "--budget", "3", "--space", "not_asked_for", "--output", str(output)]) == 1
        assert f"{file} is no folder; expected one" in capsys.readouterr().err
