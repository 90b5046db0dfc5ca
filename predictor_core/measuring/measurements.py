"""The measurements file: one row a model, written row by row. This module is its only definition."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import IO

from predictor_core.errors import PredictorError
from predictor_core.files import write_atomically

#: Columns in the order that they are written; the first two are required, others may be absent.
COLUMNS = ("model", "latency_ms", "std_ms", "model_type", "input_shape", "environment", "runs")
#: A file larger than this is no measurements file.
MAX_BYTES = 64 * 2**20


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
    line : int
        Line of the file that the row was read from, 0 for a row that was not read.
    """

    model: str
    latency_ms: float
    std_ms: float | None = None
    model_type: str = ""
    input_shape: tuple[int, ...] | tuple[tuple[int, ...], ...] = ()
    environment: str = ""
    runs: int | None = None
    line: int = 0

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


def read_measurements(path: str | os.PathLike[str]) -> list[Row]:
    """Read a measurements file.

    Raises
    ------
    PredictorError
        When the file is no CSV, lacks a column, or a row has no model or no positive, finite latency.
        The message names the line.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise PredictorError(f"{file}: larger than {MAX_BYTES} bytes; that is no measurements file")
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PredictorError(f"{file}: not a text file; expected a CSV of measurements") from error
    except OSError as error:
        raise PredictorError(f"{file}: {error.strerror or error}") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in COLUMNS[:2] if name not in header]
        if missing:
            raise PredictorError(
                f"{file}: no column {missing[0]!r}; a measurements file has the columns "
                f"{', '.join(COLUMNS[:2])} and optionally {', '.join(COLUMNS[2:])}"
            )
        return [
            _row(dict(zip(header, cells)), f"{file}, line {reader.line_num}", reader.line_num)
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise PredictorError(f"{file}, line {reader.line_num}: {error}") from error


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


def parse_shape(text: str) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
    """Read what `shape_text` wrote; commas and brackets are understood as well.

    Raises
    ------
    ValueError
        When the text is no shape.
    """
    words = text.replace(", ", ",").replace("[", " ").replace("(", " ").replace("]", " ").replace(")", " ")
    shapes = []
    for word in words.split():
        dims = tuple(int(dim) for dim in word.strip(",").lower().replace(",", "x").split("x"))
        if min(dims) < 1:
            raise ValueError(f"dimensions must be positive, got {word!r}")
        shapes.append(dims)
    return shapes[0] if len(shapes) == 1 else tuple(shapes)


def _row(cells: dict[str, str], where: str, line: int) -> Row:
    get = {name: cells.get(name, "").strip() for name in COLUMNS}
    if not get["model"]:
        raise PredictorError(f"{where}: no model; expected a path or the name of a torchvision model")
    latency_ms = _number(get["latency_ms"], "latency_ms", where)
    if latency_ms is None or latency_ms <= 0.0:
        raise PredictorError(
            f"{where}: latency_ms of {get['model']} is {get['latency_ms']!r}; expected a positive number"
        )
    std_ms = _number(get["std_ms"], "std_ms", where)
    if std_ms is not None and std_ms < 0.0:
        raise PredictorError(f"{where}: std_ms is {get['std_ms']!r}; expected no negative number")
    runs = _number(get["runs"], "runs", where)
    try:
        shape = parse_shape(get["input_shape"])
    except ValueError as error:
        raise PredictorError(
            f"{where}: input_shape is {get['input_shape']!r}; expected a shape such as 1x3x224x224"
        ) from error
    return Row(
        get["model"],
        latency_ms,
        std_ms,
        get["model_type"].lower(),
        shape,
        get["environment"],
        None if runs is None else int(runs),
        line,
    )


def _number(text: str, column: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise PredictorError(f"{where}: {column} is {text!r}; expected a finite number")
    return value


def _line(cells: Iterable[str]) -> str:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell

    return ",".join(map(quoted, cells)) + "\n"


def _drop_unfinished_line(path: Path) -> None:
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
