"""Homes, lists and servers that are broken or mean harm."""

from __future__ import annotations

import ctypes
import http.server
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from predictor_core import list_latency_predictors, load_latency_predictor
from predictor_core.catalog.download import Limits, download
from predictor_core.catalog.register import register_predictor
from predictor_core.catalog.registry import check_entry, registered_predictors
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


@pytest.mark.parametrize("home", ["absent/far/away", "~nobody_of_this_name/home", "loop", "a\nb", "x" * 5000])
def test_embedded_predictors_work_without_a_home(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    monkeypatch.setenv("NN_METER_HOME", home if home.startswith("~") else str(tmp_path / home))

    assert load_latency_predictor("cortexA76cpu_tflite21").name == "cortexA76cpu_tflite21"
    assert len(list_latency_predictors()) > 150


def _without_privileges() -> None:
    """Take from root the right to read what is closed to its owner."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (1, 2):
        prctl(24, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities of Linux")
@pytest.mark.parametrize("closed", ["home", "home/config", "home/config/predictors.yaml"])
def test_embedded_predictors_work_with_a_home_that_may_not_be_read(closed: str, tmp_path: Path) -> None:
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "predictors.yaml").write_text("[]")
    (tmp_path / closed).chmod(0o000)
    code = (
        "from predictor_core import list_latency_predictors, load_latency_predictor; "
        "print(load_latency_predictor('cortexA76cpu_tflite21').name, len(list_latency_predictors()))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "NN_METER_HOME": str(tmp_path / "home")},
            preexec_fn=_without_privileges,
        )
    finally:
        (tmp_path / closed).chmod(0o700)

    name, count = done.stdout.split()
    assert name == "cortexA76cpu_tflite21"
    assert int(count) > 150


@pytest.mark.parametrize(
    "text",
    [
        "name: &a mine\nversion: *a\ncategory: cpu\npackage_location: .\n",
        "name: mine\nversion: 1\ncategory: cpu\npackage_location: .\nmore: &m [*m]\n",
        "name: mine\nversion: .nan\ncategory: cpu\npackage_location: .\n",
        "name: mine\nversion: {a: 1}\ncategory: cpu\npackage_location: .\n",
        "name: mine\nversion: " + "9" * 5000 + "\ncategory: cpu\npackage_location: .\n",
        "!!python/object/apply:os.system [echo]",
        "[" * 5000,
    ],
)
def test_strange_meta_files_are_refused_and_change_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_METER_HOME", str(tmp_path / "home"))
    (tmp_path / "meta.yaml").write_text(text)

    with pytest.raises(RegistryError) as caught:
        register_predictor(tmp_path / "meta.yaml")

    assert "meta.yaml" in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_strange_entries_of_the_list_are_left_out_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NN_METER_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    good = dict(ENTRY, package_location=str(tmp_path))
    strange = [dict(good, version=[1]), dict(good, name="a/b"), dict(good, sha256=5)]
    (tmp_path / "config" / "predictors.yaml").write_text(yaml.safe_dump([*strange, good]))

    assert [entry["name"] for entry in registered_predictors()] == ["mine"]
    assert caplog.text.count("a predictor of your own is left out") == 3


def test_registering_cleans_up_after_a_run_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_METER_HOME", str(tmp_path / "home"))
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    (config / ".0123456789abcdef.part").write_text("half")
    for name in ("fusion_rules.json", "relu.pkl"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "meta.yaml").write_text(yaml.safe_dump(ENTRY))

    register_predictor(tmp_path / "meta.yaml")

    assert sorted(entry.name for entry in config.iterdir()) == ["predictors.yaml", "predictors.yaml.lock"]


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
        if self.path == "/large":
            with suppress(OSError):
                self.wfile.write(bytes(2**20))

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


def test_redirects_in_a_circle_end(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(f"{server}/to//to/", tmp_path / "pack", Limits(attempts=1))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_full_disk_is_called_so(server: str, tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        "from pathlib import Path; from predictor_core.catalog.download import Limits, download; "
        "download(sys.argv[1], Path(sys.argv[2]), Limits(attempts=1))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, f"{server}/large", str(tmp_path / "pack")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )

    assert re.search(r"DownloadError: .*/large can't be stored in \S*pack: File too large", done.stderr)
