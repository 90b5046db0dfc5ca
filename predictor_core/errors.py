"""The exceptions of the package: one root, a few kinds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from predictor_core.text import one_line


class PredictorError(Exception):
    """Root of every error that leaves the package.

    Its text is one line of bounded length, whatever the names and numbers of a file are.

    Attributes
    ----------
    origin : str
        The file that could not be read, or "".
    """

    origin: str = ""

    @property
    def reason(self) -> str:
        """The text without the file."""
        return one_line(super().__str__())

    def __str__(self) -> str:
        reason, origin = self.reason, one_line(self.origin)
        return reason if not origin or origin in reason else one_line(f"{origin}: {reason}")


class GraphError(PredictorError):
    """A graph that breaks a rule: a cycle, a dangling input, a bad shape, a duplicate name."""


class ModelFormatError(PredictorError):
    """A model file or object that can't be read as the format it was given as."""


class UnsupportedOpError(PredictorError):
    """An op that a front end can't convert, or that strict mode refuses to estimate."""


class UnknownPredictorError(PredictorError):
    """A predictor name or version that does not exist."""


class PackError(PredictorError):
    """A predictor pack that is corrupted, tampered with, or of another format version."""


class DownloadError(PackError):
    """A pack that could not be downloaded, or whose download is not what was asked for."""


class RegistryError(PredictorError):
    """A bad meta file, or a name that can't be registered or unregistered."""


class LearningError(PredictorError):
    """Measurements that a device can't be learned from."""


class OutputError(PredictorError, OSError):
    """A file that can't be written, or must not be written over."""


class MissingDependencyError(PredictorError, ImportError):
    """An optional dependency that the requested feature needs is not installed."""


#: What code raises on data that are not as it expects them.
MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def own_errors(model: Any = None) -> Iterator[None]:
    """Let nothing but a `PredictorError` leave a block that works on data of others.

    Parameters
    ----------
    model : path or object
        What the block works on; the error names it where it is a path.

    Raises
    ------
    PredictorError
        For any exception of the block: itself where it is one; a `ModelFormatError` for another.
    """
    try:
        yield
    except PredictorError as error:
        _name_origin(error, model)
        raise
    except Exception as error:
        own = ModelFormatError(_told(error))
        _name_origin(own, model)
        raise own from error


def exit_status(run: Callable[[], object]) -> int:
    """Run a command: 0, or 1 after an error of the package, which is told in one line."""
    try:
        run()
    except PredictorError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _name_origin(error: PredictorError, model: Any) -> None:
    if not error.origin and isinstance(model, (str, os.PathLike)):
        error.origin = os.path.normpath(os.fsdecode(model))


def _told(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "reading it takes more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return f"it is malformed, or its code fails: {type(error).__name__}: {error}"


def missing_dependency(package: str, extra: str, purpose: str) -> MissingDependencyError:
    """Return the error for an optional package that is absent.

    Parameters
    ----------
    package : str
        The absent package, as pip knows it.
    extra : str
        The extra of this package that installs it.
    purpose : str
        What needs it, as the start of the sentence.
    """
    return MissingDependencyError(
        f"{purpose} needs the package {package!r}, which is not installed; "
        f"run: pip install '.[{extra}]' in the source folder of nnmeter-nni, or: pip install '{package}'"
    )


@contextmanager
def requires(package: str, extra: str, purpose: str) -> Iterator[None]:
    """Have the imports in the block fail with `missing_dependency`; parameters as there."""
    try:
        yield
    except ImportError as error:
        raise missing_dependency(package, extra, purpose) from error


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the names close to a word, or ``""`` where none is close."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    wanted = word.strip().lower()
    close = get_close_matches(wanted, names, n=3, cutoff=0.7)
    if len(wanted) > 1:
        close += [name for name in names if wanted in name and name not in close]
    if not close and len(wanted) > 3:
        starts = get_close_matches(wanted, {name[: len(wanted)] for name in names}, n=1, cutoff=0.7)
        close = [name for name in names if starts and name.startswith(starts[0])]
    listed = " or ".join(repr(names[name]) for name in close[:3])
    return f"; did you mean {listed}?" if close else ""
