"""What a log says of a model, and what a reader of logs offers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath


@dataclass(frozen=True)
class OpTime:
    """One op of a profile: the name and the kind that the tool gives it, and its latency."""

    name: str
    kind: str
    latency_ms: float


@dataclass(frozen=True)
class LoggedModel:
    """One model in a log.

    Parameters
    ----------
    model : str
        Path or name, as the log has it; "" where it has none.
    latency_ms : float
        Median, or mean where the tool states no median; the sum of the ops where it states neither.
    std_ms : float, optional
    runs : int, optional
    environment : str
        What the log says of runtime, device, threads and precision, in one line.
    ops : tuple of OpTime
        Profile of the model's ops, where the log has one.
    """

    model: str
    latency_ms: float
    std_ms: float | None = None
    runs: int | None = None
    environment: str = ""
    ops: tuple[OpTime, ...] = ()


@dataclass(frozen=True)
class LogFormat:
    """Output of one tool.

    Parameters
    ----------
    name : str
        The tool, and what of its output is meant.
    matches : callable
        Whether a text is such an output; looks for what only this tool writes.
    read : callable
        The models in a text. Raises ``ValueError`` where a number is malformed.
    """

    name: str
    matches: Callable[[str], bool]
    read: Callable[[str], list[LoggedModel]]


def search(pattern: str, text: str, flags: int = 0) -> str | None:
    """Return the first group of a pattern, or None where it does not occur."""
    found = re.search(pattern, text, flags)
    return found[1].strip() if found else None


def file_name(path: str) -> str:
    """Last part of a path of any system."""
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name


def environment(*parts: str | None) -> str:
    """Join what is known."""
    return ", ".join(part for part in parts if part)


def threads_text(count: str | int | None) -> str | None:
    """Return ``4 threads``, or None where the count is not known."""
    if count is None or int(count) < 1:
        return None
    return f"{int(count)} thread" + ("" if int(count) == 1 else "s")
