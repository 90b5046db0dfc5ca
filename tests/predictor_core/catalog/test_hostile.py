"""Homes, lists and servers that are broken or mean harm."""

from __future__ import annotations

import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from predictor_core.catalog.download import Limits, download
from predictor_core.catalog.registry import check_entry
from predictor_core.catalog.versions import version_key
from predictor_core.errors import DownloadError, OutputError, RegistryError
from predictor_core.files import locked, remove_leftovers

ENTRY = {"name": "mine", "version": 1, "category": "cpu", "package_location": "."}


@pytest.mark.parametrize("text", ["a: &x [*x]", "- {name: [}", "\x00", "- 5\n- {package_location: 3}"])
def test_embedded_predictors_work_with_a_broken_list(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_METER_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "predictors.yaml").write_text(text)

    assert load_latency_predictor("cortexA76cpu_tflite21").name == "cortexA76cpu_tflite21"


def test_embedded_predictors_work_where_the_home_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NN_METER_HOME", str(tmp_path / "file"))

    assert load_latency_predictor("cortexA76cpu_tflite21").name == "cortexA76cpu_tflite21"


@pytest.mark.parametrize(
    "change",
    [
        {"version": float("nan")},
        {"version": "1" * 5000},
        {"name": ".."},
        {"name": "a\nb"},
        {"package_location": "a\0b"},
        {"pack": "x"},
        {5: 6},
        {"sha256": 5},
    ],
)
def test_strange_entries_are_refused(change: dict[object, object], tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="meta"):
        check_entry({**ENTRY, **change}, "meta", tmp_path)


@pytest.mark.parametrize("version", ["²", "9" * 5000, "1.²", ""])
def test_any_version_has_a_key(version: str) -> None:
    assert version_key(version) == version_key(version)
    assert version_key(version) != version_key("1.0")


def test_a_lock_that_is_held_ends_with_a_message(tmp_path: Path) -> None:
    def wait() -> None:
        with locked(tmp_path / "list", timeout_s=0.1):
            raise AssertionError

    with locked(tmp_path / "list"), pytest.raises(OutputError, match="another process has held"):
        wait()


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    os.symlink(tmp_path / "precious", tmp_path / "list.lock")

    with pytest.raises(OutputError, match="can't lock"), locked(tmp_path / "list"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_leftovers_go_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / ".0123456789abcdef.part").write_text("")
    (tmp_path / ".device-abc").mkdir()
    (tmp_path / ".other").mkdir()
    (tmp_path / "mine.part").write_text("")

    remove_leftovers(tmp_path, ".device-")

    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".other", "mine.part"]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            try:
                self.wfile.write(b"HTTP/1.0 200 OK\r\n")
                for _ in range(100):
                    self.wfile.write(b"X")
                    time.sleep(0.05)
            except OSError:
                # The client is gone, as it should.
                pass
            return
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
        else:
            self.send_response(200)
            self.send_header("Content-Length", "\u00b2")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    running.server_close()


def test_the_total_time_covers_the_headers(server: str, tmp_path: Path) -> None:
    limits = Limits(total_s=0.3, attempts=1)

    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(f"{server}/slow", tmp_path / "pack", limits)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_redirects_stay_on_the_web(target: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"not followed|not allowed"):
        download(f"{server}/to/{target}", tmp_path / "pack", Limits(attempts=1))


def test_a_length_that_is_no_number_is_ignored(server: str, tmp_path: Path) -> None:
    assert len(download(f"{server}/odd", tmp_path / "pack", Limits(attempts=1))) == 64


def test_a_full_disk_is_called_so(server: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("the system has no /dev/full")
    from predictor_core.catalog.download import _transfer

    class Response:
        def __init__(self) -> None:
            self.headers: dict[str, str] = {}
            self.blocks = [b"x" * 2**20]

        def read1(self, size: int) -> bytes:
            return self.blocks.pop() if self.blocks else b""

    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(DownloadError, match="No space left"):
        _transfer(Response(), file, "http://x", Limits())
