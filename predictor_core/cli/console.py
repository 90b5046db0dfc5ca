"""What the command says: results on stdout, all else on stderr, every error on one line."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

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


def colour(stream: TextIO) -> bool:
    """Whether a stream takes colours: a terminal, and no ``NO_COLOR`` (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def log(message: str) -> None:
    """Print one line to stderr, where there is one that takes it."""
    # Without a stream, print would write to stdout.
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(f"nn-meter: {one_line(message)}", file=sys.stderr)


def result(text: str) -> bool:
    """Print a result to stdout; to stderr where stdout is closed or full. Return whether it went out.

    Raises
    ------
    BrokenPipeError
        Nobody reads any more.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        log(f"error: stdout can't be written ({getattr(error, 'strerror', None) or error}): {text}")
        return False
    return True


class Progress:
    """A progress bar on a terminal for more than one model; what is printed `aside` stands above it."""

    def __init__(self, total: int) -> None:
        self._bar: Any = None
        if total > 1 and sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="model", file=sys.stderr, leave=False, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        """Count one model."""
        if self._bar is not None:
            self._bar.update()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away for a block that prints."""
        if self._bar is not None:
            self._bar.clear()
        yield
        if self._bar is not None:
            self._bar.refresh()


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
