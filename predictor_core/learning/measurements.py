"""Measurements of whole models: the CSV file, and the models it names."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import LearningError, PredictorError
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.fusion import Rules
from predictor_core.ir.graph import Graph
from predictor_core.learning.corpus import Corpus
from predictor_core.measuring.logs import is_log, read_log, to_rows

Floats = NDArray[np.float64]

REQUIRED = ("model", "latency_ms")
KNOWN = (*REQUIRED, "std_ms", "model_type", "input_shape", "environment")
MAX_BYTES = 64 * 2**20
MAX_ROWS = 200_000
#: Measurements of one model that differ by more than this factor are no repeats of each other.
_CONTRADICTION = 1.5
#: What separates columns, and the marks at the start of UTF-16 text: spreadsheets write all of these.
_DELIMITERS = (",", ";", "\t")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TYPES = {".onnx": "onnx", ".pb": "pb", ".json": "nnmeter-ir", ".tflite": "tflite", ".xml": "openvino"}


@dataclass(frozen=True)
class Measurement:
    """One row.

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
    input_shape: Any = DEFAULT_INPUT_SHAPE
    environment: str = ""
    std_ms: float | None = None
    row: int = 0


@dataclass(frozen=True)
class Unreadable:
    """A model that was left out."""

    model: str
    row: int
    reason: str


def read_measurements(
    path: str | os.PathLike[str], input_shape: Any = DEFAULT_INPUT_SHAPE
) -> list[Measurement]:
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
                f"{file} has no column {name!r}; its columns are {', '.join(columns) or 'none'}, expected "
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


def _of_log(file: Path, input_shape: Any) -> list[Measurement]:
    """Return what the output of a benchmark tool says, of models beside it or in the folder above."""
    found = []
    for number, logged in enumerate(read_log(file), 1):
        for folder in (file.parent, file.parent.parent):
            (row,), missing = to_rows([logged], folder, folder)
            if not missing:
                break
        path = row.model if missing else str(folder / row.model)
        found.append(
            Measurement(path, row.latency_ms, type_of(path), input_shape, row.environment, row.std_ms, number)
        )
    return found


def _row(
    file: Path, number: int, columns: list[str], cells: list[str], input_shape: Any, points: dict[int, int]
) -> Measurement:
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
    return Measurement(
        model,
        _positive(values["latency_ms"], f"{where}: latency_ms", points),
        model_type or type_of(model),
        _shape(values["input_shape"], where) if values.get("input_shape") else input_shape,
        values.get("environment", ""),
        _number(std, f"{where}: std_ms", points) if std else None,
        number,
    )


def type_of(model: str) -> str | None:
    """Model type of a path by its suffix; a name without a suffix is one of torchvision's."""
    suffix = Path(model).suffix.lower()
    if suffix in _TYPES:
        return _TYPES[suffix]
    if (Path(model) / "saved_model.pb").is_file():
        return "pb"
    return "torchvision" if not suffix or suffix[1:].isdigit() or "_" in suffix else None


def _number(text: str, where: str, points: dict[int, int]) -> float:
    try:
        value = float(text.translate(points))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0.0:
        raise LearningError(f"{where} is {text!r:.40}; expected a number that is not negative")
    return value


def _positive(text: str, where: str, points: dict[int, int]) -> float:
    try:
        value = float(text.translate(points))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0.0:
        raise LearningError(f"{where} is {text!r:.40}; expected a positive number of ms")
    return value


def _shape(text: str, where: str) -> tuple[int, ...]:
    parts = text.strip("[]() ").lower().replace("x", ",").replace(" ", ",").split(",")
    numbers = [part.strip() for part in parts if part.strip()]
    if not numbers or not all(part.isdigit() and int(part) > 0 for part in numbers):
        raise LearningError(f"{where}: input_shape is {text!r:.40}; expected such as 1x3x224x224")
    return tuple(int(part) for part in numbers)


@dataclass(frozen=True)
class Read:
    """Measured models, read.

    Parameters
    ----------
    corpus : Corpus
        The distinct models.
    latency_ms : dict of str to (n,) float64
        Environment -> latency of each model of the corpus, NaN where it was not measured.
    rows : tuple of int
        First row of each model.
    repeat : float or None
        Standard deviation of the logarithm of repeated measurements, where there are any.
    unreadable : list of Unreadable
    """

    corpus: Corpus
    latency_ms: Mapping[str, Floats]
    rows: tuple[int, ...]
    repeat: float | None
    unreadable: list[Unreadable]


def read_models(measurements: Sequence[Measurement], *, strict: bool = False) -> Read:
    """Read the models of measurements, each once, with the median of its repeats.

    Parameters
    ----------
    measurements : sequence of Measurement
    strict : bool
        Raise for a model that can't be read, instead of leaving it out.

    Raises
    ------
    LearningError
        There is no measurement, a latency is not a positive number, or measurements of one model contradict
        each other.
    PredictorError
        When `strict` and a model can't be read.
    """
    if not measurements:
        raise LearningError("there is no measurement: no row stands below the names of the columns")
    graphs: dict[Any, tuple[str, Graph, int]] = {}
    values: dict[tuple[str, Any], list[tuple[float, int]]] = {}
    failed: dict[Any, Unreadable] = {}
    for one in measurements:
        where = f"row {one.row}"
        if isinstance(one.latency_ms, bool) or not math.isfinite(one.latency_ms) or one.latency_ms <= 0.0:
            raise LearningError(
                f"{where}: the latency of {name_of(one.model)} is {one.latency_ms}; expected a positive "
                "number of ms"
            )
        path = isinstance(one.model, (str, os.PathLike))
        key = (os.fspath(one.model) if path else id(one.model), str(one.input_shape), one.model_type)
        if key in failed:
            continue
        if key not in graphs:
            kind = one.model_type or (type_of(os.fspath(one.model)) if path else None)
            try:
                graph = to_graph(one.model, kind, one.input_shape)
            except PredictorError as error:
                if strict:
                    raise
                failed[key] = Unreadable(name_of(one.model), one.row, str(error).splitlines()[0])
                continue
            graphs[key] = (name_of(one.model) if path else graph.name or f"model {one.row}", graph, one.row)
        values.setdefault((one.environment, key), []).append((one.latency_ms, one.row))
    places = {key: i for i, key in enumerate(graphs)}
    names = _distinct([name for name, _, _ in graphs.values()])
    latency_ms: dict[str, Floats] = {}
    squares, degrees = 0.0, 0
    for (environment, key), found in values.items():
        ms = np.array([value for value, _ in found])
        logs = np.log(ms)
        near = np.abs(logs - np.median(logs)) <= math.log(_CONTRADICTION)
        if len(found) > 2 and near.sum() > 0.5 * len(found):
            # Most agree: what is far from their median was disturbed.
            for (value, row), agrees in zip(found, near):
                if not agrees:
                    reason = f"took {value:.4g} ms, its repeats {np.exp(np.median(logs)):.4g} ms"
                    failed[key, row] = Unreadable(names[places[key]], row, reason)
            ms, logs = ms[near], logs[near]
        elif np.ptp(logs) > math.log(_CONTRADICTION):
            raise LearningError(
                f"rows {found[int(np.argmin(logs))][1]} and {found[int(np.argmax(logs))][1]}: "
                f"{names[places[key]]} took {np.exp(logs.min()):.4g} ms and {np.exp(logs.max()):.4g} ms; "
                "expected repeats of one measurement"
            )
        squares += float(((logs - logs.mean()) ** 2).sum())
        degrees += len(logs) - 1
        column = latency_ms.setdefault(environment, np.full(len(graphs), np.nan))
        column[places[key]] = float(np.median(ms))
    repeat = math.sqrt(squares / degrees) if degrees else None
    corpus = Corpus([(name, graph) for name, (_, graph, _) in zip(names, graphs.values())])
    return Read(
        corpus, latency_ms, tuple(row for _, _, row in graphs.values()), repeat, list(failed.values())
    )


def refuse_contradictions(read: Read, rules: Rules) -> None:
    """Refuse two models that differ in name alone, with latencies that can't both be right.

    Parameters
    ----------
    read : Read
    rules : Rules
        By which models are cut into kernels; those with the same kernels are the same network.

    Raises
    ------
    LearningError
        The message names both rows.
    """
    names = read.corpus.names
    for i, first in enumerate(read.corpus.cut(rules).same()):
        for column in read.latency_ms.values():
            # Where either was not measured, the comparison is false.
            if abs(np.log(column[i] / column[first])) > math.log(_CONTRADICTION):
                raise LearningError(
                    f"rows {read.rows[first]} and {read.rows[i]}: {names[first]} and {names[i]} are the same "
                    f"network, but took {column[first]:.4g} ms and {column[i]:.4g} ms; take out the wrong one"
                )


def name_of(model: Any) -> str:
    """Return what a model is called in tables."""
    if isinstance(model, (str, os.PathLike)):
        return Path(model).stem if Path(model).suffix in _TYPES else Path(model).name
    return str(getattr(model, "name", "") or type(model).__name__)


def _distinct(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that stand twice."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
