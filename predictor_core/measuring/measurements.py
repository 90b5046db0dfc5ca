"""The measurements file: read as a table of models and latencies, written row by row."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from predictor_core.errors import LearningError
from predictor_core.files import output_path, write_atomically
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
from predictor_core.ir.inputs import GivenShapes
from predictor_core.measuring.logs import is_log, read_log, to_rows
from predictor_core.measuring.rows import COLUMNS, Row, line

REQUIRED = ("model", "latency_ms")
KNOWN = (*REQUIRED, "std_ms", "model_type", "input_shape", "environment")
MAX_BYTES = 64 * 2**20
MAX_ROWS = 200_000
#: What separates columns, and the marks at the start of UTF-16 text: spreadsheets write all of these.
_DELIMITERS = (",", ";", "\t")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
TYPES = {".onnx": "onnx", ".pb": "pb", ".json": "nnmeter-ir", ".tflite": "tflite", ".xml": "openvino"}


@dataclass(frozen=True)
class Measured:
    """A model and its latency, as a row of the file has them.

    Parameters
    ----------
    model : path, object or Graph
    latency_ms : float
    model_type : str, optional
        Default: by the suffix of the path.
    input_shape : tuple of int, or several
    environment : str
        Device that it was measured on, where a file holds several.
    std_ms : float, optional
        Standard deviation of the runs.
    row : int
        Line of the file, or place in the list, for messages.
    """

    model: Any
    latency_ms: float
    model_type: str | None = None
    input_shape: GivenShapes = DEFAULT_INPUT_SHAPE
    environment: str = ""
    std_ms: float | None = None
    row: int = 0


def read_measurements(
    path: str | os.PathLike[str], input_shape: GivenShapes = DEFAULT_INPUT_SHAPE
) -> list[Measured]:
    """Read ``measurements.csv``.

    Parameters
    ----------
    path : path
        The output of a benchmark tool (`predictor_core.measuring.logs`), with the models beside it or in the
        folder above; or UTF-8 text with the columns ``model`` (path relative to the file, or a torchvision
        name) and ``latency_ms``; optional ``std_ms``, ``model_type``, ``input_shape`` (such as 1x3x224x224),
        ``environment``. Others are not looked at. What spreadsheets write is read, too: semicolons or tabs
        between the columns, with decimal commas; UTF-16; empty columns behind the last.
    input_shape : tuple of int, or several
        Of rows that name none.

    Raises
    ------
    LearningError
        The file can't be read, lacks a column, or holds a value that is not what it should be; the message
        names the row.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise LearningError(f"{file} has more than {MAX_BYTES} bytes; it is no table of measurements")
        raw = file.read_bytes()
        text = raw.decode("utf-16" if raw.startswith(_UTF16) else "utf-8-sig")
    except OSError as error:
        raise LearningError(f"can't read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LearningError(
            f"{file} is not UTF-8 text: {error.reason} at byte {error.start}; save it as CSV UTF-8"
        ) from error
    if is_log(file):
        return _of_log(file, input_shape)
    delimiter = _delimiter(text)
    # Carriage returns by themselves end lines too, and keep the numbers of the lines right.
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise LearningError(f"{file}, row {reader.line_num}: {error}") from error
    if rows and rows[0][1][0].lower().startswith("sep="):
        rows = rows[1:]
    if not rows:
        raise LearningError(f"{file} is empty; expected the columns {', '.join(REQUIRED)}")
    columns = [cell.strip().lower() for cell in _without_empty_ends(rows[0][1])]
    for name in REQUIRED:
        if name not in columns:
            raise LearningError(
                f"{file} has no column {name!r}; its columns are {', '.join(columns) or 'none'}; expected "
                f"{', '.join(REQUIRED)} and perhaps {', '.join(KNOWN[2:])}"
            )
    for name in KNOWN:
        if columns.count(name) > 1:
            raise LearningError(f"{file} has {columns.count(name)} columns {name!r}; expected one")
    if len(rows) > MAX_ROWS:
        raise LearningError(f"{file} has more than {MAX_ROWS} rows")
    # Where a comma does not separate columns it is a decimal comma.
    points = str.maketrans("", "") if delimiter == "," else str.maketrans(",", ".")
    return [_row(file, number, columns, cells, input_shape, points) for number, cells in rows[1:]]


def _delimiter(text: str) -> str:
    """Return what separates the columns: a comma, or what spreadsheets write instead."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lower().startswith("sep=") and first[4:5] in ("\t", *_DELIMITERS):
        return first[4:5]
    return max(_DELIMITERS, key=first.count)


def _without_empty_ends(cells: list[str]) -> list[str]:
    """Return a row without the empty cells behind the last full one, which spreadsheets add."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _of_log(file: Path, input_shape: GivenShapes) -> list[Measured]:
    """Return what the output of a benchmark tool says, of models beside it or in the folder above."""
    found = []
    for number, logged in enumerate(read_log(file), 1):
        for folder in (file.parent, file.parent.parent):
            (row,), missing = to_rows([logged], folder, folder)
            if not missing:
                break
        path = row.model if missing else str(folder / row.model)
        found.append(
            Measured(path, row.latency_ms, type_of(path), input_shape, row.environment, row.std_ms, number)
        )
    return found


def _row(
    file: Path,
    number: int,
    columns: list[str],
    cells: list[str],
    input_shape: GivenShapes,
    points: dict[int, int],
) -> Measured:
    where = f"{file}, row {number}"
    cells = _without_empty_ends(cells)
    if len(cells) > len(columns):
        raise LearningError(
            f"{where}: {len(cells)} values, expected {len(columns)}, as many as columns; quote a value that "
            "holds the separator, and write decimals with a point"
        )
    values = dict.fromkeys(columns, "")
    values.update((name, cell.strip()) for name, cell in zip(columns, cells))
    if not values["model"]:
        raise LearningError(f"{where}: no model is named")
    std = values.get("std_ms")
    model: Any = values["model"]
    model_type = values.get("model_type") or None
    beside = file.parent / model
    if beside.exists():
        model = str(beside)
    return Measured(
        model,
        _number(values["latency_ms"], f"{where}: latency_ms", points, positive=True),
        model_type or type_of(model),
        _shape(values["input_shape"], where) if values.get("input_shape") else input_shape,
        values.get("environment", ""),
        _number(std, f"{where}: std_ms", points) if std else None,
        number,
    )


def type_of(model: str) -> str | None:
    """Model type of a path by its suffix; a name without a suffix is one of torchvision's."""
    suffix = Path(model).suffix.lower()
    if suffix in TYPES:
        return TYPES[suffix]
    if (Path(model) / "saved_model.pb").is_file():
        return "pb"
    return "torchvision" if not suffix or suffix[1:].isdigit() or "_" in suffix else None


def _number(text: str, where: str, points: dict[int, int], positive: bool = False) -> float:
    advice = ""
    try:
        value = float(text.translate(points))
    except ValueError:
        value = math.nan
        if text:
            advice = ", with a point before its decimals, nothing between its thousands, and no unit"
    if not math.isfinite(value) or value < 0.0 or (positive and not value):
        expected = "a positive number of ms" if positive else "a number that is not negative"
        raise LearningError(f"{where} is {text!r:.40}; expected {expected}{advice}")
    return value


def _shape(text: str, where: str) -> tuple[int, ...]:
    parts = text.strip("[]() ").lower().replace("x", ",").replace(" ", ",").split(",")
    numbers = [part.strip() for part in parts if part.strip()]
    if not numbers or not all(part.isdigit() and int(part) > 0 for part in numbers):
        raise LearningError(f"{where}: input_shape is {text!r:.40}; expected such as 1x3x224x224")
    return tuple(int(part) for part in numbers)


def write_measurements(path: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Write a measurements file, whole or not at all."""
    write_atomically(Path(path), "".join(map(line, (COLUMNS, *(row.cells() for row in rows)))))


@contextmanager
def appending(path: Path) -> Iterator[RowWriter]:
    """Open a measurements file to add rows; a row that an interruption cut short is taken off first.

    Raises
    ------
    PredictorError
        When the file exists and is not a measurements file.
    """
    path = output_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    header: list[str] = []
    if path.exists() and path.stat().st_size:
        _drop_unfinished_line(path)
        read_measurements(path)
        with path.open(encoding="utf-8-sig", newline="") as existing:
            header = [name.strip() for name in next(csv.reader(existing))]
    with path.open("a", encoding="utf-8", newline="") as file:
        if not header:
            file.write(line(COLUMNS))
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
        self._file.write(line([cells.get(name, "") for name in self._header]))
        self._file.flush()
        os.fsync(self._file.fileno())


def _drop_unfinished_line(path: Path) -> None:
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
