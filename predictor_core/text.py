"""Text that comes from files: no name in it forges a line, moves a cursor or floods a screen."""

from __future__ import annotations

#: Longest text of an error, in characters; what is longer loses its middle.
MAX_LINE = 2000
#: Characters of what another library says about its failure; some of it is pages long.
MAX_REASON = 400


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
    # The first cut bounds the work, the second what escapes have made longer.
    return _without_middle(printable(" ".join(_without_middle(text, 2 * limit).split())), limit)


def _without_middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    tail = (limit - 5) // 3
    return f"{text[: limit - 5 - tail]} ... {text[-tail:]}"
