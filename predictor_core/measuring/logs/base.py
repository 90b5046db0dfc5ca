"""What a log says of a model, and what a reader of logs offers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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


def search_count(pattern: str, text: str) -> int | None:
    """Return the number that the first group of a pattern is, or None where it does not occur."""
    found = search(pattern, text)
    return int(found) if found else None


def file_name(path: str) -> str:
    """Last part of a path of any system."""
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name


def cut_at(start: str, text: str) -> list[str]:
    """Cut a text that holds several runs where each starts; the whole text where the pattern is nowhere."""
    starts = [found.start() for found in re.finditer(start, text)] or [0]
    return [text[first:last] for first, last in zip(starts, [*starts[1:], len(text)])]


def of_profile(ops: Iterable[OpTime], environment: str, runs: int | None = None) -> list[LoggedModel]:
    """Return the model of a profile, whose latency is the sum of its ops; none where it has no ops."""
    found = tuple(ops)
    total_ms = sum(op.latency_ms for op in found)
    return [LoggedModel("", total_ms, runs=runs, environment=environment, ops=found)] if found else []
