"""The measurements file, written row by row; `predictor_core.learning.measurements` reads it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from predictor_core.files import output_path, write_atomically
from predictor_core.measuring.rows import COLUMNS, Row, line


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
    from predictor_core.learning.measurements import read_measurements

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
