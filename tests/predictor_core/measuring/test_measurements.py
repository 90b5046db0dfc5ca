"""The measurements file: rows that survive an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core.errors import PredictorError
from predictor_core.learning.measurements import read_measurements
from predictor_core.measuring.measurements import appending, write_measurements
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
