"""Files that are written whole or not at all, and locks against other processes."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from predictor_core.errors import OutputError

#: Files in the folder of a predictor: forests, or the header of a learned device.
PACK_FILE = "forests.pack"
HEADER_FILE = "header.json"


def output_path(
    path: str | os.PathLike[str], *, overwrite: bool = True, inputs: Iterable[str | os.PathLike[str]] = ()
) -> Path:
    """Where a file may be written: the path with its links followed.

    Parameters
    ----------
    path : path
        The file to write; it need not exist.
    overwrite : bool
        Whether a file that exists may be replaced.
    inputs : iterable of path
        Files and folders that are read meanwhile: neither they nor what is in the folders is ever replaced.

    Returns
    -------
    Path
        Absolute, without links.

    Raises
    ------
    OutputError
        The path is an input, exists (unless `overwrite`), or is no regular file: a folder, a pipe, a device,
        or "-", which many commands take for stdout.
    """
    if os.fspath(path) == "-":
        raise OutputError("'-' does not stand for stdout here; expected the name of a file")
    try:
        target = Path(path).resolve()
        # Since Python 3.13 a circle of links resolves to one of them.
        status = target.stat() if target.exists() or target.is_symlink() else None
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"can't write {path}: {getattr(error, 'strerror', None) or error}") from error
    if status is None:
        return target
    for source in inputs:
        resolved = Path(source).resolve()
        if resolved == target or resolved in target.parents or _same_file(resolved, target):
            raise OutputError(f"{path} is an input and is not written over; choose another output")
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise OutputError(f"{path} is {kind}; expected a regular file, or a name that is free")
    if not overwrite:
        raise OutputError(f"{path} exists; choose another output, or allow to overwrite it (--force)")
    return target


def check_output_folder(path: str | os.PathLike[str]) -> None:
    """Refuse a folder that files can't be written into, before the work that they need; it need not exist.

    Raises
    ------
    OutputError
        It, or a folder above it, is no folder or may not be written to.
    """
    folder = Path(path).absolute()
    existing = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not existing.is_dir():
        raise OutputError(f"{existing} is no folder; expected one, or a name that is free")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(f"can't write into {existing}: permission denied")


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


@contextmanager
def atomic_file(
    path: str | os.PathLike[str], *, overwrite: bool = True, inputs: Iterable[str | os.PathLike[str]] = ()
) -> Iterator[IO[bytes]]:
    """Open a binary file that takes its place when the block ends without an error.

    A file that it replaces keeps its permissions; missing folders are made. Parameters as for `output_path`.

    Raises
    ------
    OutputError
        As for `output_path`, and when the file can't be written; nothing is left behind.
    """
    target = output_path(path, overwrite=overwrite, inputs=inputs)
    temporary = target.with_name(f".{os.urandom(8).hex()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_atomically(
    path: str | os.PathLike[str],
    content: str | bytes,
    *,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike[str]] = (),
) -> None:
    """Write text (as UTF-8) or bytes, whole or not at all; parameters and errors as for `atomic_file`."""
    with atomic_file(path, overwrite=overwrite, inputs=inputs) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def locked(path: Path, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the lock of a file against other processes, where the system has file locks.

    Parameters
    ----------
    path : Path
        The file; the lock is ``<path>.lock`` beside it, never a link.
    timeout_s : float
        Longest wait for another process.

    Raises
    ------
    OutputError
        The lock can't be made, or another process holds it all the time.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except (OSError, ValueError) as error:
        raise OutputError(f"can't lock {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        _wait_for_lock(descriptor, lock, timeout_s)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, lock: Path, timeout_s: float) -> None:
    try:
        import fcntl
    except ImportError:
        return
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OutputError(
                    f"another process has held {lock} for {timeout_s:g} s; wait for it, or end it"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            raise OutputError(f"can't lock {lock}: {error.strerror or error}") from error


def remove_leftovers(folder: Path, prefix: str = "") -> None:
    """Remove what killed processes left in a folder of ours whose lock is held: unfinished files and folders.

    Parameters
    ----------
    folder : Path
        It need not exist.
    prefix : str
        Start of the names of unfinished folders; "" where there are none.
    """
    with suppress(OSError):
        for entry in folder.iterdir():
            if re.fullmatch(r"\.[0-9a-f]{16}\.part", entry.name):
                with suppress(OSError):
                    entry.unlink()
            elif prefix and entry.name.startswith(prefix) and entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
