"""Text that comes from files: no name in it forges a line, moves a cursor or floods a screen."""

from __future__ import annotations

#: Longest text of an error, in characters; what is longer loses its middle.
MAX_LINE = 2000


def printable(text: str) -> str:
    """Write line breaks, control characters and text direction marks of a name as escapes."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """Join the lines of a text, escape other control characters, and leave out the middle of a long one.

    Parameters
    ----------
    text : str
        Any text.
    limit : int
        Most characters of the result.
    """
    if len(text) > limit:
        kept = limit - 5
        text = f"{text[: 2 * kept // 3]} ... {text[len(text) - (kept - 2 * kept // 3) :]}"
    line = printable(" ".join(text.split()))
    # An escape is longer than the character that it stands for.
    return line if len(line) <= limit else f"{line[: limit - 4]} ..."
