"""Rows of a measurements file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


def shape_text(shape: tuple[int, ...] | tuple[tuple[int, ...], ...]) -> str:
    """Return ``1x3x224x224``; several shapes are separated by blanks."""
    if not shape:
        return ""
    if isinstance(shape[0], tuple):
        return " ".join(shape_text(each) for each in shape if isinstance(each, tuple))
    return "x".join(map(str, shape))


def environment(*parts: str | None) -> str:
    """Return an environment in one line: what is known of it."""
    return ", ".join(part for part in parts if part)


def threads_text(count: str | int | None) -> str | None:
    """Return ``4 threads``, or None where the count is not known."""
    if count is None or int(count) < 1:
        return None
    return f"{int(count)} thread" + ("" if int(count) == 1 else "s")


def line(cells: Iterable[str]) -> str:
    """Return one line of a CSV file."""

    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell

    return ",".join(map(quoted, cells)) + "\n"
