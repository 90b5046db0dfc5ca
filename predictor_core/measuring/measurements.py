"""The measurements file, written row by row; `predictor_core.learning.measurements` reads it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from predictor_core.files import write_atomically

#: Columns in the order that they are written; the first two are required, others may be absent.
COLUMNS = ("model", "latency_ms", "std_ms", "model_type", "input_shape", "environment", "runs")


@dataclass(frozen=True)
class Row:
    """One row of a measurements file.

    Parameters
    ----------
    model : str
        Path of a model, relative to the measurements file, or the name of a torchvision model.
    latency_ms : float
        Median, or mean where a tool states no median.
    std_ms : float, optional
        Standard deviation of single runs.
    model_type : str
        ``"onnx"``, ``"tflite"``, ... or "" where the ending of the path tells.
    input_shape : tuple of int, or tuple of those
        Shape of each input that the model leaves open; empty where none is.
    environment : str
        Runtime, processor, threads and precision in one line; "" where it is not known. Rows of one file
        may have different ones.
    runs : int, optional
        How many runs the row summarises.
    """

    model: str
    latency_ms: float
    std_ms: float | None = None
    model_type: str = ""
    input_shape: tuple[int, ...] | tuple[tuple[int, ...], ...] = ()
    environment: str = ""
    runs: int | None = None

    def cells(self) -> list[str]:
        """Return the cells of the row, in the order of `COLUMNS`."""
        return [
            self.model,
            f"{self.latency_ms:.6g}",
            "" if self.std_ms is None else f"{self.std_ms:.4g}",
            self.model_type,
            shape_text(self.input_shape),
            self.environment,
            "" if self.runs is None else str(self.runs),
        ]


def write_measurements(path: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Write a measurements file, whole or not at all."""
    write_atomically(Path(path), "".join(map(_line, (COLUMNS, *(row.cells() for row in rows)))))


@contextmanager
def appending(path: Path) -> Iterator[RowWriter]:
    """Open a measurements file to add rows; a row that an interruption cut short is taken off first.

    Raises
    ------
    PredictorError
        When the file exists and is not a measurements file.
    """
    from predictor_core.learning.measurements import read_measurements

    path.parent.mkdir(parents=True, exist_ok=True)
    header: list[str] = []
    if path.exists() and path.stat().st_size:
        _drop_unfinished_line(path)
        read_measurements(path)
        with path.open(encoding="utf-8-sig", newline="") as existing:
            header = [name.strip() for name in next(csv.reader(existing))]
    with path.open("a", encoding="utf-8", newline="") as file:
        if not header:
            file.write(_line(COLUMNS))
            file.flush()
        yield RowWriter(file, header or list(COLUMNS))


class RowWriter:
    """Adds rows to an open measurements file; each is on the disk when `add` returns."""

    def __init__(self, file: IO[str], header: list[str]) -> None:
        self._file = file
        self._header = header

    def add(self, row: Row) -> None:
        """Write one row, in the columns that the file has."""
        cells = dict(zip(COLUMNS, row.cells()))
        self._file.write(_line([cells.get(name, "") for name in self._header]))
        self._file.flush()
        os.fsync(self._file.fileno())


def shape_text(shape: tuple[int, ...] | tuple[tuple[int, ...], ...]) -> str:
    """Return ``1x3x224x224``; several shapes are separated by blanks."""
    if not shape:
        return ""
    if isinstance(shape[0], tuple):
        return " ".join(shape_text(each) for each in shape if isinstance(each, tuple))
    return "x".join(map(str, shape))


def _line(cells: Iterable[str]) -> str:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell

    return ",".join(map(quoted, cells)) + "\n"


def _drop_unfinished_line(path: Path) -> None:
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
