"""Logs of the tools that people time models with, read as measurements: one file a tool."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from predictor_core.errors import MALFORMED, PredictorError
from predictor_core.measuring.logs import aihub, mnn, ncnn, onnxruntime, openvino, tensorrt, tflite
from predictor_core.measuring.logs.base import LogFormat, LoggedModel, OpTime, file_name
from predictor_core.measuring.rows import Row

__all__ = ["FORMATS", "LogFormat", "LoggedModel", "OpTime", "is_log", "read_log", "to_rows", "totals"]

#: Tried in this order; the first that recognises a text reads it.
FORMATS: tuple[LogFormat, ...] = (
    *tflite.FORMATS,
    *openvino.FORMATS,
    *onnxruntime.FORMATS,
    *tensorrt.FORMATS,
    *ncnn.FORMATS,
    *mnn.FORMATS,
    *aihub.FORMATS,
)

#: A log larger than this is refused.
MAX_BYTES = 512 * 2**20
#: Endings of the model files that a name in a log may stand for.
MODEL_SUFFIXES = (".onnx", ".tflite", ".pb", ".xml", ".json")


def read_log(path: str | os.PathLike[str]) -> list[LoggedModel]:
    """Read the output of a benchmark tool.

    Parameters
    ----------
    path : path
        What the tool printed, redirected to a file, or a report that it wrote.

    Returns
    -------
    list of LoggedModel
        In the order of the log. A model that the log does not name has the name of the file.

    Raises
    ------
    PredictorError
        When the file is of no known tool, is malformed, or holds no latency.
    """
    file = Path(path)
    text = _text(file)
    known = _format_of(text)
    if known is None:
        tools = "; ".join(each.name for each in FORMATS)
        raise PredictorError(f"{file}: the output of no tool that is known here; known are: {tools}")
    try:
        found = known.read(text)
    except (*MALFORMED, RecursionError) as error:
        raise PredictorError(f"{file}: a malformed output of {known.name}: {error!r}") from error
    found = [each if each.model else replace(each, model=file.stem) for each in found]
    bad = next((each for each in found if not 0.0 < each.latency_ms < float("inf")), None)
    if bad is not None:
        raise PredictorError(
            f"{file}: latency of {bad.model} is {bad.latency_ms} ms; expected a positive number"
        )
    if not found:
        raise PredictorError(f"{file}: an output of {known.name}, but without a latency; did the tool fail?")
    return found


def is_log(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is the output of a known tool."""
    try:
        return _format_of(_text(Path(path))) is not None
    except PredictorError:
        return False


def to_rows(
    logged: Iterable[LoggedModel],
    models: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] = ".",
    **given: Any,
) -> tuple[list[Row], list[str]]:
    """Turn what logs say into rows of a measurements file.

    Parameters
    ----------
    logged : iterable of LoggedModel
    models : path, optional
        Folder with the models' files; those whose names fit are put into the rows. A ``.tflite`` file and an
        ``.onnx`` file of one name are the same model, and the first that can be read is taken.
    folder : path
        Folder of the measurements file, which paths are relative to.
    **given
        Fields of `Row` that are the same for all, such as ``environment``; they replace what the log says.

    Returns
    -------
    rows : list of Row
    missing : list of str
        Models that are no file of `models`, nor of the path that the log has; their rows have their names.
    """
    places = _places(Path(models)) if models is not None else {}
    rows, missing = [], []
    for each in logged:
        name = file_name(each.model)
        stem = name.rpartition(".")[0] if name.lower().endswith((*MODEL_SUFFIXES, ".mnn", ".param")) else name
        path = places.get(stem.lower())
        if path is None and Path(each.model).is_file():
            path = Path(each.model)
        if path is None:
            missing.append(stem)
        model = stem if path is None else Path(os.path.relpath(path, folder)).as_posix()
        row = Row(model, each.latency_ms, each.std_ms, environment=each.environment, runs=each.runs)
        rows.append(replace(row, **{key: value for key, value in given.items() if value}))
    return rows, list(dict.fromkeys(missing))


def _places(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise PredictorError(f"{folder}: no such folder of models")
    found: dict[str, Path] = {}
    for suffix in MODEL_SUFFIXES:
        for path in sorted(folder.glob(f"*{suffix}")):
            found.setdefault(path.stem.lower(), path)
    return found


def _format_of(text: str) -> LogFormat | None:
    return next((known for known in FORMATS if known.matches(text)), None)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise PredictorError(f"{file}: larger than {MAX_BYTES} bytes; that is no log of a benchmark")
        content = file.read_bytes()
    except OSError as error:
        raise PredictorError(f"{file}: {error.strerror or error}") from error
    # PowerShell redirects in UTF-16.
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def totals(ops: Sequence[OpTime]) -> list[tuple[str, int, float]]:
    """Sum a profile by the kind of op: (kind, count, ms), the slowest first."""
    found: dict[str, tuple[int, float]] = {}
    for op in ops:
        count, ms = found.get(op.kind, (0, 0.0))
        found[op.kind] = (count + 1, ms + op.latency_ms)
    return sorted(((kind, n, ms) for kind, (n, ms) in found.items()), key=lambda each: -each[2])
