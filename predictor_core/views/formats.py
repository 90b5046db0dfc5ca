"""Breakdowns as tables: for the terminal, Markdown, CSV, JSON, pandas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from predictor_core.errors import PredictorError, requires
from predictor_core.text import printable
from predictor_core.views.breakdown import By, Part, column_names, parts
from predictor_core.views.grid import grid_rows

if TYPE_CHECKING:
    from predictor_core.predictor.report import LatencyReport

Format = Literal["text", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = ("text", "markdown", "csv", "json")

#: Characters that the column of names takes at least.
_NAMES = 24
_GAP = 2
_BOLD, _YELLOW, _PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[0m"
_INDENT = "  "


def table(
    reports: Sequence[LatencyReport],
    by: By = "module",
    depth: int | None = None,
    format: Format = "text",
    *,
    width: int | None = None,
    colour: bool = False,
) -> str:
    """Write a breakdown of reports, side by side.

    Parameters
    ----------
    reports : sequence of LatencyReport
        Columns; of one model on several devices, or of several models.
    by : {"module", "type", "kernel"}
        Rows; see `predictor_core.views.breakdown.parts`.
    depth : int, optional
        Levels of modules to show. Default: all.
    format : {"text", "markdown", "csv", "json"}
        ``csv`` and ``json`` hold the full numbers and one row or object a part and report.
    width : int, optional
        Characters of a line of ``text``; devices that do not fit beside each other follow below.
    colour : bool
        Mark the rows of ``text`` that rest on estimates, with escape sequences of a terminal.

    Returns
    -------
    str
        Without a line break at its end.

    Raises
    ------
    PredictorError
        For another format, or what `parts` refuses.
    """
    if format not in FORMATS:
        raise PredictorError(f"can't write a table as {format!r}; expected {', '.join(FORMATS)}")
    if format == "text":
        return _text(reports, by, depth, width, colour)
    if format == "markdown":
        return _markdown(reports, by, depth)
    records = _records(reports, by, depth)
    if format == "json":
        return json.dumps(records, indent=2)
    file = io.StringIO()
    writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**record, "path": "/".join(record["path"])} for record in records)
    return file.getvalue().rstrip("\n")


def to_dataframe(
    reports: Sequence[LatencyReport], by: By = "module", depth: int | None = None, *, details: bool = False
) -> Any:
    """Return a breakdown as a pandas DataFrame, one row a part and report.

    Parameters
    ----------
    reports, by, depth
        As for `table`.
    details : bool
        For kernels: everything that the reports know of each, instead of the columns of `table`.

    Raises
    ------
    MissingDependencyError
        Without pandas.
    """
    with requires("pandas", "plot", "A data frame"):
        import pandas
    if not details:
        return pandas.DataFrame(_records(reports, by, depth), columns=list(_COLUMNS))
    rows = [
        {**kernel.to_dict(), "share": kernel.latency_ms / (report.latency_ms or 1.0)}
        for report in reports
        for kernel in report.kernels
    ]
    return pandas.DataFrame(rows)


_COLUMNS = (
    "model", "predictor", "predictor_version", "name", "path", "depth", "kernels", "latency_ms", "share",
    "outside_ms", "bounded_ms", "estimated_ms",
)  # fmt: skip


def _records(reports: Sequence[LatencyReport], by: By, depth: int | None) -> list[dict[str, Any]]:
    records = []
    for part in parts(reports, by, depth):
        for report, latency, kernels in zip(reports, part.latency, part.kernels):
            if latency is None:
                continue
            values = (
                report.model,
                report.predictor,
                report.version,
                part.name,
                list(part.path),
                part.depth,
                kernels,
                latency.total,
                latency.total / (report.latency_ms or 1.0),
                latency.outside,
                latency.bounded,
                latency.estimated,
            )
            records.append(dict(zip(_COLUMNS, values)))
    return records


def _rows(reports: Sequence[LatencyReport], rows: Sequence[Part], single: bool) -> list[list[str]]:
    """Cells of the parts: the name, then ms of each report; for a single one also share, kernels, note."""
    cells = []
    for part in rows:
        name = _INDENT * part.depth + part.name
        texts = ["" if ms is None else f"{ms:.4f}" for ms in part.ms]
        if single:
            total_ms = reports[0].latency_ms or 1.0
            texts += [f"{(part.ms[0] or 0.0) / total_ms:.1%}", str(part.kernels[0] or ""), _note(part)]
        cells.append([name, *texts])
    totals = [f"{report.latency_ms:.4f}" for report in reports]
    if single:
        totals += ["100.0%", str(len(reports[0].kernels)), ""]
    return [*cells, ["total", *totals]]


def _note(part: Part) -> str:
    """Return how much of a part rests on less than measured kernels."""
    latency = part.latency[0]
    if latency is None or latency.total <= 0.0:
        return ""
    shares = (
        ("estimated", latency.estimated / latency.total),
        ("extrapolated", latency.outside / latency.total),
        ("bounded", latency.bounded / latency.total),
    )
    return ", ".join(
        word if share > 0.995 else f"{share:.0%} {word}" for word, share in shares if share >= 0.005
    )


def _headings(by: By, names: Sequence[str], single: bool) -> list[str]:
    return [by, "ms", "share", "kernels", "note"] if single else [by, *names]


def _text(
    reports: Sequence[LatencyReport], by: By, depth: int | None, width: int | None, colour: bool
) -> str:
    rows = parts(reports, by, depth)
    names = column_names(reports)
    single = len(reports) == 1
    blocks = _blocks([max(len(printable(name)), 10) for name in names], width)
    tables = []
    for block in blocks:
        chosen = [reports[i] for i in block]
        shown = _columns(rows, block)
        cells = [_headings(by, [names[i] for i in block], single), *_rows(chosen, shown, single)]
        right = (1, 2, 3) if single else range(1, len(block) + 1)
        lines = grid_rows(cells, right=right, width=width)
        styles = [_BOLD, *(_YELLOW if _doubtful(part) else "" for part in shown), _BOLD]
        tables += ["\n".join(_painted(lines, styles) if colour else [line for row in lines for line in row])]
    return "\n\n".join(tables)


def _columns(rows: Sequence[Part], block: Sequence[int]) -> list[Part]:
    """Return the parts with the columns of a block alone."""
    return [
        replace(
            part,
            latency=tuple([part.latency[i] for i in block]),
            kernels=tuple([part.kernels[i] for i in block]),
        )
        for part in rows
    ]


def _blocks(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """Cut columns into blocks that fit a width beside the names."""
    blocks: list[list[int]] = [[]]
    used = _NAMES
    for column, needed in enumerate(widths):
        if width is not None and blocks[-1] and used + needed + _GAP > width:
            blocks.append([])
            used = _NAMES
        blocks[-1].append(column)
        used += needed + _GAP
    return blocks


def _painted(lines: Sequence[Sequence[str]], styles: Sequence[str]) -> list[str]:
    return [f"{style}{line}{_PLAIN}" if style else line for style, row in zip(styles, lines) for line in row]


def _doubtful(part: Part) -> bool:
    return any(one is not None and one.measured < 0.5 * one.total for one in part.latency)


def _markdown(reports: Sequence[LatencyReport], by: By, depth: int | None) -> str:
    names = column_names(reports)
    single = len(reports) == 1
    headings = _headings(by, names, single)
    right = range(1, 4) if single else range(1, len(headings))
    rules = ["---:" if i in right else "---" for i in range(len(headings))]
    lines = [headings, rules, *_rows(reports, parts(reports, by, depth), single)]
    return "\n".join("| " + " | ".join(map(_markdown_cell, cells)) + " |" for cells in lines)


def _markdown_cell(text: str) -> str:
    indent = len(text) - len(text.lstrip(" "))
    escaped = printable(text.strip()).replace("&", "&amp;").replace("<", "&lt;")
    for char in "\\|`*_[]":
        escaped = escaped.replace(char, "\\" + char)
    return "&nbsp;" * indent + escaped
