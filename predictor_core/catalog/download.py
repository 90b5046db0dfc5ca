"""Downloads of packs: bounded, verified, and moved into place only when whole.

urllib does the transfer, because what is needed around it (a bound on size and time, a check of the length, a
retry after a cut connection) is what download libraries leave out. It honours the proxy variables.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from predictor_core.catalog.archive import extract_pack
from predictor_core.catalog.home import packs_folder
from predictor_core.errors import DownloadError, PackError, PredictorError
from predictor_core.files import locked, remove_leftovers, write_atomically
from predictor_core.legacy.pack_folder import files_of, is_pack

_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True)
class Limits:
    """What a download may take.

    Parameters
    ----------
    bytes : int
        Largest zip.
    stall_s : float
        Longest wait for the server to answer or go on.
    total_s : float
        Longest time for one attempt.
    attempts : int
        Attempts in all; only failures that may pass are tried again.
    pause_s : float
        Pause before the second attempt; it doubles.
    """

    bytes: int = 4 * 2**30
    stall_s: float = 30.0
    total_s: float = 4 * 3600.0
    attempts: int = 4
    pause_s: float = 1.0


class _Passing(Exception):
    """A failure that may be gone at the next attempt."""


def fetch_pack(entry: Mapping[str, Any], limits: Limits | None = None) -> Path:
    """Return the folder of a downloadable predictor, downloading it if it is not there.

    Parameters
    ----------
    entry : mapping
        Of the list of predictors: ``name``, ``download`` (http or https), ``kernel_predictors`` (the
        forests that must be there) and, to pin the zip, ``sha256``.
    limits : Limits, optional
        Other bounds than the usual.

    Returns
    -------
    Path
        ``$NN_METER_HOME/data/predictor/<name>``.

    Raises
    ------
    DownloadError
        Offline, refused by the server, interrupted, too large, or not the zip that is expected. Nothing is
        left behind.
    PackError
        The zip is unsafe or lacks a file.
    """
    name, url = str(entry["name"]), str(entry["download"])
    wanted = list(entry.get("kernel_predictors", ()))
    folder = packs_folder() / name
    if is_pack(folder, wanted):
        return folder
    _check_allowed(name, url, folder, wanted)
    limits = limits or Limits()
    # Whoever holds the lock is downloading the same pack.
    with locked(packs_folder() / name, limits.attempts * limits.total_s):
        if is_pack(folder, wanted):
            return folder
        remove_leftovers(packs_folder(), f".{name}-")
        remove_leftovers(folder)
        record = packs_folder() / f"{name}.sha256"
        expected = entry.get("sha256") or (
            record.read_text(encoding="utf-8").strip() if record.is_file() else None
        )
        with TemporaryDirectory(dir=packs_folder(), prefix=f".{name}-") as scratch:
            zip_path = Path(scratch) / "pack.zip"
            digest = download(url, zip_path, limits)
            if expected is not None and digest != str(expected).lower():
                raise DownloadError(
                    f"the file at {url} has SHA-256 {digest}, expected {expected}; it is not the pack that "
                    f"was pinned or downloaded before. If it was replaced on purpose, delete {record} first"
                )
            try:
                extract_pack(zip_path, name, Path(scratch), folder, wanted)
            except PackError as error:
                raise type(error)(f"the file at {url} is refused: {error}") from error
        write_atomically(record, digest + "\n")
    return folder


def _check_allowed(name: str, url: str, folder: Path, wanted: Iterable[str]) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(
            f"predictor {name!r} is to be downloaded from {url!r}; only http and https are allowed"
        )
    if os.environ.get("NN_METER_OFFLINE", "").strip().lower() not in ("", "0", "false"):
        missing = [file for file in files_of(wanted) if not (folder / file).is_file()]
        raise DownloadError(
            f"the folder {folder} of predictor {name!r} lacks {', '.join(missing) or 'its forests'}, and "
            f"NN_METER_OFFLINE forbids downloads; unset it, or unpack {url} into {folder.parent}"
        )


def download(url: str, path: Path, limits: Limits) -> str:
    """Download a file, trying again where that may help.

    Returns
    -------
    str
        Its SHA-256, hexadecimal.

    Raises
    ------
    DownloadError
        After the last attempt, or at once where another would fail in the same way.
    """
    for attempt in range(limits.attempts):
        if attempt:
            time.sleep(limits.pause_s * 2 ** (attempt - 1))
        try:
            return _attempt(url, path, limits)
        except _Passing as error:
            reason = str(error)
    raise DownloadError(
        f"{url} could not be downloaded in {limits.attempts} attempts ({reason}); check the connection and "
        f"the proxy, or unpack the file into {packs_folder()} yourself"
    )


def _attempt(url: str, path: Path, limits: Limits) -> str:
    request = Request(url, headers={"User-Agent": "nnmeter-nni", "Accept-Encoding": "identity"})
    try:
        with ExitStack() as stack:
            opener, over = stack.enter_context(_deadline(limits.total_s))
            response = stack.enter_context(opener.open(request, timeout=limits.stall_s))
            digest = _transfer(response, stack.enter_context(open(path, "wb")), url, limits)
            if over.is_set():
                # A connection that is cut among its headers looks like an answer without a body.
                raise _Passing(f"it took longer than {limits.total_s:g} s")
            return digest
    except PredictorError:
        raise
    except HTTPError as error:
        error.close()
        if error.code >= 500 or error.code in (408, 429):
            raise _Passing(f"the server answers {error.code} {error.reason}") from error
        raise DownloadError(
            f"{url} could not be downloaded: the server answers {error.code} {error.reason}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Passing(str(getattr(error, "reason", None) or error) or type(error).__name__) from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise DownloadError(f"{url} could not be downloaded: the server answers nonsense: {error}") from error


@contextmanager
def _deadline(total_s: float) -> Iterator[tuple[OpenerDirector, threading.Event]]:
    """Make an opener for http and https alone whose connections are cut after a time, headers included.

    The event tells that the time is over.
    """
    over = threading.Event()
    connections: list[http.client.HTTPConnection] = []

    def noted(kind: Callable[..., http.client.HTTPConnection]) -> Callable[..., http.client.HTTPConnection]:
        def make(*args: Any, **options: Any) -> http.client.HTTPConnection:
            connections.append(kind(*args, **options))
            return connections[-1]

        return make

    class Http(HTTPHandler):
        def http_open(self, req: Request) -> Any:
            return self.do_open(noted(http.client.HTTPConnection), req)

    class Https(HTTPSHandler):
        def https_open(self, req: Request) -> Any:
            return self.do_open(noted(http.client.HTTPSConnection), req)

    def cut() -> None:
        over.set()
        for connection in connections:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    # A new opener, because the usual one reads the proxy variables once and for all, and opens files.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        Http(),
        Https(),
        HTTPDefaultErrorHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    timer = threading.Timer(total_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield opener, over
    finally:
        timer.cancel()


class _Redirects(HTTPRedirectHandler):
    """Follows redirects to http and https alone, and none from https to http."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (urlsplit(req.full_url).scheme, scheme) == ("https", "http"):
            raise DownloadError(f"{req.full_url} redirects to {newurl!r:.200}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _transfer(response: Any, file: IO[bytes], url: str, limits: Limits) -> str:
    length = response.headers.get("Content-Length")
    expected = int(length) if length is not None and length.isascii() and length.isdecimal() else None
    too_large = DownloadError(
        f"{url} is larger than {limits.bytes} bytes, which no pack is; nothing was kept"
    )
    if expected is not None and expected > limits.bytes:
        raise too_large
    digest = hashlib.sha256()
    received = 0
    deadline = time.monotonic() + limits.total_s
    with _progress_bar(url, expected) as bar:
        while block := response.read1(_BLOCK_BYTES):
            received += len(block)
            if received > limits.bytes:
                raise too_large
            if time.monotonic() > deadline:
                raise _Passing(f"it took longer than {limits.total_s:g} s")
            try:
                file.write(block)
            except OSError as error:
                raise DownloadError(
                    f"{url} can't be stored in {file.name}: {error.strerror or error}"
                ) from error
            digest.update(block)
            bar.update(len(block))
    if expected is not None and received != expected:
        raise _Passing(f"the connection was cut after {received} of {expected} bytes")
    return digest.hexdigest()


def _progress_bar(url: str, expected: int | None) -> Any:
    """Return a bar on standard error, only where a person watches."""
    from tqdm import tqdm

    return tqdm(
        total=expected, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[-1], disable=None, leave=False
    )
