"""The measurements file: rows that survive an interruption, and what is read of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core.errors import LearningError, PredictorError
from predictor_core.learning.models import read_models
from predictor_core.measuring.measurements import (
    Measured,
    appending,
    read_measurements,
    type_of,
    write_measurements,
)
from predictor_core.measuring.rows import Row

ROWS = [
    Row("a, b.onnx", 1.25, 0.01, "onnx", (1, 3, 32, 32), 'say "fp32", 1 thread', 12),
    Row("resnet18", 30.0),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "m.csv"
    write_measurements(path, ROWS)
    found = read_measurements(path)
    assert [row.model for row in found] == ["a, b.onnx", "resnet18"]
    assert [row.latency_ms for row in found] == [1.25, 30.0]
    assert (found[0].std_ms, found[0].input_shape) == (0.01, (1, 3, 32, 32))
    assert found[0].environment == 'say "fp32", 1 thread'


def test_rows_are_added(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    for row in ROWS:
        with appending(path) as writer:
            writer.add(row)
            # It is on the disk before the file is closed.
            assert read_measurements(path)[-1].latency_ms == row.latency_ms
    assert len(read_measurements(path)) == 2


def test_a_row_that_was_cut_short_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    write_measurements(path, ROWS)
    with path.open("a") as file:
        file.write("squeezenet1_0,12.")
    with appending(path) as writer:
        writer.add(Row("alexnet", 9.0))
    assert [row.model for row in read_measurements(path)] == ["a, b.onnx", "resnet18", "alexnet"]


def test_columns_of_an_existing_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("latency_ms,model\n3.5,alexnet\n")
    with appending(path) as writer:
        writer.add(ROWS[1])
    assert path.read_text() == "latency_ms,model\n3.5,alexnet\n30,resnet18\n"


def test_a_folder_is_no_measurements_file(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match="is a folder; expected a regular file"), appending(tmp_path):
        pass


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("name,value\nx,1\n")
    with pytest.raises(PredictorError, match="no column 'model'"), appending(path):
        pass
    assert path.read_text() == "name,value\nx,1\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "measurements.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_columns(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    text = (
        "\ufeffmodel, latency_ms, std_ms, model_type, input_shape, environment, comment\n"
        "net.onnx, 12.5, 0.1, , 1x3x160x160, phone, fast\n\n"
        "resnet18, 30, , , , ,\n"
    )
    first, second = read_measurements(write(tmp_path, text))
    assert first == Measured(
        str(tmp_path / "net.onnx"), 12.5, "onnx", (1, 3, 160, 160), "phone", std_ms=0.1, row=2
    )
    assert (second.model, second.model_type, second.row) == ("resnet18", "torchvision", 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected the columns model, latency_ms"),
        ("model,ms\nresnet18,3\n", "has no column 'latency_ms'; its columns are model, ms"),
        ("model,model,latency_ms\na,b,3\n", "has 2 columns 'model'; expected one"),
        ("model,latency_ms\nresnet18\n", "row 2: latency_ms is ''; expected a positive number"),
        ("model,latency_ms\n,3\n", "row 2: no model is named"),
        ("model,latency_ms\nresnet18,nan\n", "row 2: latency_ms is 'nan'; expected a positive number"),
        ("model,latency_ms\nresnet18,3\nvgg11,-1\n", "row 3: latency_ms is '-1'"),
        ("model,latency_ms\nresnet18,0\n", "row 2: latency_ms is '0'"),
        ("model,latency_ms\nresnet18,inf\n", "row 2: latency_ms is 'inf'"),
        (
            "model,latency_ms\nresnet18,3 ms\n",
            "row 2: latency_ms is '3 ms'; expected a positive number of ms, with a point",
        ),
        ("model,latency_ms,std_ms\nresnet18,3,-1\n", "row 2: std_ms is '-1'"),
        ("model,latency_ms,input_shape\nresnet18,3,wide\n", "row 2: input_shape is 'wide'"),
        ('model,latency_ms\n"resnet18,3\n', "row 2"),
        ("model,latency_ms\nresnet18,3,5\n", "row 2: 3 values, expected 2"),
        ('model,latency_ms\nresnet18,"3,5"\n', "row 2: latency_ms is '3,5'"),
        ("model;latency_ms\nresnet18;1.234,5\n", "row 2: latency_ms is '1.234,5'"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LearningError) as caught:
        read_measurements(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_rows_can_be_read_and_added_to_but_not_learned_from(tmp_path: Path) -> None:
    rows = read_measurements(write(tmp_path, "model,latency_ms\n"))
    assert rows == []
    with pytest.raises(LearningError, match="there is no measurement"):
        read_models(rows)


@pytest.mark.parametrize(
    "content",
    [
        b"model;latency_ms;std_ms\r\nresnet18;12,5;0,1\r\n",
        b"sep=;\r\nmodel;latency_ms;std_ms\r\nresnet18;12,5;0,1\r\n",
        "model\tlatency_ms\tstd_ms\r\nresnet18\t12.5\t0.1\r\n".encode("utf-16"),
        b"\xef\xbb\xbfModel,Latency_ms,std_ms,,\r\nresnet18,12.5,0.1,,\r\n,,,,\r\n",
        b"model,latency_ms,std_ms\rresnet18,12.5,0.1\r",
        b"model,latency_ms,notes,notes,std_ms\nresnet18,12.5,,,0.1\n",
    ],
    ids=["semicolons", "sep", "UTF-16", "empty columns", "carriage returns", "other columns twice"],
)
def test_what_spreadsheets_write(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "measurements.csv"
    path.write_bytes(content)
    (one,) = read_measurements(path)
    assert (one.model, one.latency_ms, one.std_ms) == ("resnet18", 12.5, 0.1)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "measurements.csv"
    with pytest.raises(LearningError, match="can't read"):
        read_measurements(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LearningError, match="is not UTF-8"):
        read_measurements(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b.onnx", "onnx"), ("b.TFLITE", "tflite"), ("resnet18", "torchvision"), ("b.docx", None)],
)
def test_type_by_suffix(name: str, expected: str | None) -> None:
    assert type_of(name) == expected
