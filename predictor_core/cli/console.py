"""What the command says: results on stdout, all else on stderr, every error on one line."""

from __future__ import annotations

import io
import shutil
import sys
import traceback

from predictor_core.errors import PredictorError
from predictor_core.text import one_line

#: Exit statuses besides 0; argparse itself exits with 2 on wrong usage.
FAILED = 1
USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


class UsageError(Exception):
    """Arguments that don't go together."""


def accept_any_text() -> None:
    """Write what the encoding of the terminal lacks as an escape, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def width() -> int | None:
    """Characters of a line of the terminal, or of ``$COLUMNS``; None where lines may have any length."""
    columns = shutil.get_terminal_size((0, 0)).columns
    return columns or None


def log(message: str) -> None:
    """Print one line to stderr."""
    print(f"nn-meter: {one_line(message)}", file=sys.stderr)


def describe(error: BaseException, debug: bool = False) -> str:
    """One line about an error; with `debug` the traceback of an unexpected one goes to stderr first."""
    if debug and (error.__cause__ is not None or not isinstance(error, PredictorError)):
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    if isinstance(error, PredictorError):
        return error.reason
    if isinstance(error, OSError) and error.strerror:
        return one_line(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    advice = "" if debug else "; --debug shows where it comes from"
    return one_line(f"unexpected {type(error).__name__}: {error}") + advice
