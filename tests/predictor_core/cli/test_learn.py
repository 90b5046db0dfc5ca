"""``nn-meter learn``: a table in, a predictor out, and what goes wrong on one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor, zoo
from predictor_core.cli.main import main
from predictor_core.frontends.nnmeter_ir.write import to_document

CPU = "cortexA76cpu_tflite21"
MODELS = ("alexnet", "mobilenetv1", "mobilenetv2", "resnet18", "squeezenet", "vgg11")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six models as nn-Meter IR beside their table."""
    source = load_latency_predictor(CPU)
    rows = ["model,latency_ms"]
    for name in MODELS:
        graph = zoo.build(name)
        (tmp_path / f"{name}.json").write_text(json.dumps(to_document(graph)))
        rows.append(f"{name}.json,{1.3 * source.predict(graph):.6g}")
    path = tmp_path / "measurements.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_learn_register_predict(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(table.parent / "mine")
    arguments = ["learn", str(table), "--name", "mine", "--like", CPU, "--output", output, "--register"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "[RESULT] learned mine: 100.0 % of 6 models within ±10 % when left out" in captured.out
    assert "[RESULT] registered mine: version=1.0" in captured.out
    assert "| models left out | 6 |" in captured.out
    assert captured.err == ""
    assert main(["predict", "--predictor", "mine", "--nn-meter-ir", str(table.parent / "vgg11.json")]) == 0
    assert "[RESULT] predict latency for vgg11.json: " in capsys.readouterr().out
    assert main(["unregister", "--predictor", "mine"]) == 0


def test_a_predictor_that_is_not_good_enough_is_called_so(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = table.read_text().splitlines()
    wrong = [lines[0]] + [
        f"{line.split(',')[0]},{float(line.split(',')[1]) * factor:.6g}"
        for line, factor in zip(lines[1:], (0.3, 2.0, 0.5, 3.0, 1.0, 0.6))
    ]
    table.write_text("\n".join(wrong) + "\n")
    assert (
        main(["learn", str(table), "--name", "bad", "--like", CPU, "--output", str(table.parent / "bad")])
        == 0
    )
    captured = capsys.readouterr()
    assert "Verdict: not good enough to use." in captured.out
    assert "bad is not good enough to use" in captured.err


def test_several_environments(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["model,latency_ms,environment"]
    for line in table.read_text().splitlines()[1:]:
        model, latency_ms = line.split(",")
        rows += [f"{model},{latency_ms},one", f"{model},{2.0 * float(latency_ms):.6g},two"]
    table.write_text("\n".join(rows) + "\n")
    output = table.parent / "phones"
    assert main(["learn", str(table), "--name", "phone", "--like", CPU, "--output", str(output)]) == 0
    assert capsys.readouterr().out.count("[RESULT] learned phone_") == 2
    assert sorted(path.name for path in output.iterdir()) == ["phone_one", "phone_two"]


def test_an_unreadable_model_is_listed_and_left_out(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (table.parent / "broken.json").write_text("{")
    table.write_text(table.read_text() + "broken.json,7\n")
    output = str(table.parent / "mine")
    assert main(["learn", str(table), "--name", "mine", "--like", CPU, "--output", output]) == 0
    captured = capsys.readouterr()
    assert "left out, row 8: broken" in captured.err
    assert "of 6 models" in captured.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,ms\na,1\n", "has no column 'latency_ms'"),
        ("model,latency_ms\nvgg11.json,nan\n", "row 2: latency_ms is 'nan'"),
        ("model,latency_ms\nvgg11.json,10\nresnet18.json,20\n", "2 models were measured; at least 3"),
        ("model,latency_ms\nnone.json,10\n", "none of the models of"),
        ("model,latency_ms\nvgg11.json,9e5\nresnet18.json,3e5\nalexnet.json,1e5\n", "look like microseconds"),
    ],
)
def test_a_bad_table_is_one_line_and_writes_nothing(
    table: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(text)
    output = table.parent / "mine"
    assert main(["learn", str(table), "--name", "mine", "--like", CPU, "--output", str(output)]) == 1
    captured = capsys.readouterr()
    assert message in captured.err.splitlines()[-1]
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not output.exists()


def test_a_folder_that_holds_something_else_is_left_alone(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = table.parent / "taken"
    output.mkdir()
    (output / "thesis.txt").write_text("ours")
    assert main(["learn", str(table), "--name", "x", "--like", CPU, "--output", str(output)]) == 1
    assert "exists and holds no learned predictor" in capsys.readouterr().err
    assert [path.name for path in output.iterdir()] == ["thesis.txt"]


def test_names_that_can_be_no_predictor(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learn", str(table), "--name", "a/b", "--like", CPU]) == 1
    assert "expected a name without slashes" in capsys.readouterr().err
    assert main(["learn", str(table), "--name", "ok", "--like", "nothing"]) == 1
    assert "unknown predictor 'nothing'" in capsys.readouterr().err
