"""Text tables that fit a width."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from predictor_core.text import printable

#: A column is not made narrower than this to fit a width.
_NARROWEST = 8
_GAP = "  "


def grid(rows: Sequence[Sequence[str]], *, right: Collection[int] = (), width: int | None = None) -> str:
    """Lay out rows as a table.

    Parameters
    ----------
    rows : sequence of sequence of str
        Cells, the headings first.
    right : collection of int
        Columns that are aligned to the right; these are never wrapped.
    width : int, optional
        Characters of a line. Cells that are too long for it go on in the next line: nothing is cut.

    Returns
    -------
    str
        Lines without spaces at their ends.
    """
    return "\n".join(line for lines in grid_rows(rows, right=right, width=width) for line in lines)


def grid_rows(
    rows: Sequence[Sequence[str]], *, right: Collection[int] = (), width: int | None = None
) -> list[list[str]]:
    """Lay out rows as `grid` does, and return the lines of each row."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    if width is not None:
        narrowed = [i for i in range(len(widths)) if i not in right]
        while narrowed and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
            widest = max(narrowed, key=widths.__getitem__)
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1
    return [_lines(row, widths, right) for row in cells]


def _lines(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> list[str]:
    parts = [
        [cell[i : i + width] for i in range(0, len(cell), width)] if cell else [""]
        for cell, width in zip(row, (max(width, 1) for width in widths))
    ]
    lines = []
    for number in range(max(map(len, parts), default=1)):
        line = [part[number] if number < len(part) else "" for part in parts]
        aligned = [
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths))
        ]
        lines.append(_GAP.join(aligned).rstrip())
    return lines
