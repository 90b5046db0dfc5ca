from __future__ import annotations

import hashlib
import http.server
import io
import multiprocessing
import os
import stat
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from predictor_core.catalog import archive, load_entry
from predictor_core.catalog.download import Limits, fetch_pack
from predictor_core.errors import DownloadError, PackError
from predictor_core.legacy.pack_folder import load_folder
from tests.predictor_core.legacy.ir_builder import IrBuilder

PICKLES = Path(__file__).parents[1] / "legacy" / "pickles"
FOREST = (PICKLES / "sklearn-0.24.2-protocol4.pkl").read_bytes()
RULES = b'{"BF_conv_relu": {"obey": true}}'
NAME = "mydevice"
#: A busy machine may keep the server's thread waiting.
LIMITS = Limits(stall_s=60.0, attempts=3, pause_s=0.01)

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def _zip(files: dict[str, bytes] | None = None) -> bytes:
    files = (
        {f"{NAME}/": b"", f"{NAME}/relu.pkl": FOREST, f"{NAME}/fusion_rules.json": RULES}
        if files is None
        else files
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            # Of one date: made twice, it is the same.
            out.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


class Server:
    """A server on 127.0.0.1 that gives its answers in turn, the last for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests = 0
        self.release = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = outer.answers[min(outer.requests, len(outer.answers) - 1)]
                outer.requests += 1
                answer(self)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def entry(self, **more: Any) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.server.server_port}/releases/{NAME}.zip"
        return {"name": NAME, "version": "1.0", "download": url, "kernel_predictors": ["relu"], **more}

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NN_METER_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    running = Server()
    yield running
    running.close()


def _content(content: bytes, *, length: int | None = None, code: int = 200) -> Answer:
    """Answer with `content`; `length` may claim another."""

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def _redirect(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/elsewhere.zip")
    handler.end_headers()


def _without_length(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(_zip())


def _stalled(server: Server, start: bytes) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if start:
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
            handler.wfile.write(start)
            handler.wfile.flush()
        server.release.wait(600)

    return answer


def _fetch(server: Server, *answers: Answer, limits: Limits = LIMITS, **more: Any) -> Path:
    server.answers = list(answers)
    server.requests = 0
    return fetch_pack(server.entry(**more), limits)


def _left_behind(home: Path) -> list[str]:
    return sorted(
        path.name for path in (home / "data" / "predictor").rglob("*") if not path.name.endswith(".lock")
    )


def test_a_download_is_unpacked_and_then_found(server: Server, own_home: Path) -> None:
    folder = _fetch(server, _content(_zip()))

    assert folder == own_home / "data" / "predictor" / NAME
    assert (folder / "relu.pkl").read_bytes() == FOREST
    assert _left_behind(own_home) == ["fusion_rules.json", NAME, f"{NAME}.sha256", "relu.pkl", "sha256.json"]
    assert (folder.parent / f"{NAME}.sha256").read_text().strip() == hashlib.sha256(_zip()).hexdigest()
    assert fetch_pack(server.entry(download="http://127.0.0.1:1/gone.zip")) == folder
    assert server.requests == 1


def test_a_downloaded_predictor_predicts(server: Server) -> None:
    server.answers = [_content(_zip())]
    builder = IrBuilder()
    builder.add("sigmoid", "Sigmoid", ["input"])

    predictor = load_entry(server.entry())

    assert (predictor.name, predictor.version) == (NAME, "1.0")
    assert predictor.predict(builder.ir, "nnmeter-ir") == 0.0


@pytest.mark.parametrize("answer", [_redirect, _without_length])
def test_redirects_and_unknown_lengths(answer: Answer, server: Server) -> None:
    assert (_fetch(server, answer, _content(_zip())) / "relu.pkl").is_file()


def test_what_passes_is_tried_again(server: Server) -> None:
    cut = _content(_zip()[:1000], length=len(_zip()))

    assert (_fetch(server, _content(b"busy", code=503), cut, _content(_zip())) / "relu.pkl").is_file()
    assert server.requests == 3


@pytest.mark.parametrize(
    ("answer", "message", "requests"),
    [
        (_content(b"no such file", code=404), "the server answers 404", 1),
        (_content(b"go away", code=403), "the server answers 403", 1),
        (_content(b"broken", code=500), r"in 3 attempts \(the server answers 500", 3),
        (_content(_zip()[:1000], length=len(_zip())), r"cut after 1000 of \d+ bytes", 3),
        (_content(b"<!DOCTYPE html><html>Sign in</html>"), "not a sound zip.*<!DOCTYPE html>", 1),
        (_content(b""), "not a sound zip", 1),
        (_content(_zip()[:-30]), "not a sound zip", 1),
    ],
)
def test_failures_leave_nothing_behind(
    answer: Answer, message: str, requests: int, server: Server, own_home: Path
) -> None:
    with pytest.raises(DownloadError, match=message):
        _fetch(server, answer)

    assert server.requests == requests
    assert _left_behind(own_home) == []


def test_a_damaged_entry_is_refused(server: Server, own_home: Path) -> None:
    content = bytearray(_zip())
    content[600] ^= 0xFF

    with pytest.raises(DownloadError, match="not a sound zip"):
        _fetch(server, _content(bytes(content)))
    assert _left_behind(own_home) == []


@pytest.mark.parametrize("start", [b"", b"PK"])
def test_a_server_that_stalls(start: bytes, server: Server, own_home: Path) -> None:
    with pytest.raises(DownloadError, match="timed out"):
        _fetch(server, _stalled(server, start), limits=Limits(stall_s=0.2, attempts=2, pause_s=0.01))

    assert _left_behind(own_home) == []


def test_a_server_that_drips(server: Server) -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.release.wait(0.02):
            handler.wfile.write(b"x")

    with pytest.raises(DownloadError, match=r"longer than 0\.2 s"):
        _fetch(server, drip, limits=Limits(stall_s=1, total_s=0.2, attempts=1))


def test_nobody_listens() -> None:
    with pytest.raises(DownloadError, match="could not be downloaded in 2 attempts"):
        fetch_pack({"name": NAME, "download": "http://127.0.0.1:1/x.zip"}, Limits(attempts=2, pause_s=0.01))


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large(announced: bool, server: Server, own_home: Path) -> None:
    content = b"x" * 3000

    def unannounced(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    with pytest.raises(DownloadError, match="larger than 2000 bytes"):
        _fetch(server, _content(content) if announced else unannounced, limits=Limits(bytes=2000))
    assert server.requests == 1
    assert _left_behind(own_home) == []


def test_a_pinned_digest(server: Server, own_home: Path) -> None:
    with pytest.raises(DownloadError, match=f"expected {'0' * 64}"):
        _fetch(server, _content(_zip()), sha256="0" * 64)
    assert _left_behind(own_home) == []

    assert _fetch(server, _content(_zip()), sha256=hashlib.sha256(_zip()).hexdigest().upper()).is_dir()


def test_the_digest_of_the_first_download_holds_ever_after(server: Server) -> None:
    folder = _fetch(server, _content(_zip()))
    for path in folder.iterdir():
        path.unlink()
    other = _zip({f"{NAME}/relu.pkl": FOREST, f"{NAME}/fusion_rules.json": RULES + b" "})

    with pytest.raises(DownloadError, match="not the pack that was pinned or downloaded before"):
        _fetch(server, _content(other))
    assert _fetch(server, _content(_zip())) == folder


def test_a_file_that_changes_after_its_download_is_refused(server: Server) -> None:
    folder = _fetch(server, _content(_zip()))
    (folder / "relu.pkl").write_bytes((PICKLES / "sklearn-1.1.3-protocol4.pkl").read_bytes())

    with pytest.raises(PackError, match=r"relu\.pkl is not the file that was downloaded"):
        load_folder(folder)


def _link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        info = zipfile.ZipInfo(f"{NAME}/relu.pkl")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        out.writestr(info, "/etc/passwd")
        out.writestr(f"{NAME}/fusion_rules.json", RULES)
    return buffer.getvalue()


def _twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr(f"{NAME}/relu.pkl", FOREST)
        out.writestr("relu.pkl", FOREST)
    return buffer.getvalue()


GOOD = {f"{NAME}/relu.pkl": FOREST, f"{NAME}/fusion_rules.json": RULES}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_zip({**GOOD, "../../marker": b"x"}), "leads out of its folder"),
        (_zip({**GOOD, "/marker": b"x"}), "leads out of its folder"),
        (_zip({**GOOD, "..\\marker": b"x"}), "leads out of its folder"),
        (_zip({**GOOD, "C:marker": b"x"}), "leads out of its folder"),
        (_zip({**GOOD, f"{NAME}/zeros.pkl": bytes(20_000_000)}), "unpacks to far more than it holds"),
        (_zip({**GOOD, "other/fc.pkl": FOREST}), "expected in the folder 'mydevice'"),
        (_zip({f"{NAME}/fusion_rules.json": RULES}), r"lacks relu\.pkl"),
        (_zip({f"{NAME}/relu.pkl": FOREST}), r"lacks fusion_rules\.json"),
        (_zip({}), "lacks"),
        (
            _zip({**GOOD, **{f"{NAME}/{i}": b"" for i in range(archive.MAX_ENTRIES)}}),
            "more than 1000 entries",
        ),
        (_link(), "holds the link"),
        (_twice(), "twice"),
    ],
)
def test_unsafe_zips_are_refused(content: bytes, message: str, server: Server, own_home: Path) -> None:
    with pytest.raises(PackError, match=message):
        _fetch(server, _content(content))

    assert _left_behind(own_home) == []
    assert not list(own_home.parent.rglob("marker"))


def test_an_entry_that_lies_about_its_size(server: Server, own_home: Path) -> None:
    content = bytearray(_zip())
    # The unpacked size in the directory of the zip, which is what the bounds are checked against.
    at = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1) + 24
    assert struct.unpack_from("<I", content, at) == (len(FOREST),)
    struct.pack_into("<I", content, at, 100)

    with pytest.raises(DownloadError, match="not a sound zip"):
        _fetch(server, _content(bytes(content)))
    assert _left_behind(own_home) == []


def test_other_files_of_a_zip_are_left_out(server: Server) -> None:
    folder = _fetch(server, _content(_zip({**GOOD, "__MACOSX/x": b"1", f"{NAME}/setup.py": b"boom"})))

    assert sorted(path.name for path in folder.iterdir()) == ["fusion_rules.json", "relu.pkl", "sha256.json"]


@pytest.mark.parametrize("name", ["truncated_zip", "zip_slip"])
def test_bad_public_zips(name: str, server: Server, legacy_data: Path, own_home: Path) -> None:
    content = (legacy_data / "packs" / "bad" / f"{name}.zip").read_bytes()
    entry = {**server.entry(), "name": "cortexA76cpu_tflite21"}
    server.answers = [_content(content)]

    with pytest.raises(PackError):
        fetch_pack(entry, LIMITS)

    assert _left_behind(own_home) == []
    assert not list(own_home.parent.rglob("zip_slip_marker"))


def test_offline(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_METER_OFFLINE", "1")
    with pytest.raises(
        DownloadError, match=r"lacks relu\.pkl, fusion_rules\.json, and NN_METER_OFFLINE forbids"
    ):
        _fetch(server, _content(_zip()))
    assert server.requests == 0
    monkeypatch.setenv("NN_METER_OFFLINE", "0")
    assert _fetch(server, _content(_zip())).is_dir()


def test_only_http(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(_zip())

    with pytest.raises(DownloadError, match="only http and https"):
        fetch_pack({"name": NAME, "download": path.as_uri()})


def test_the_proxy_variables_are_honoured(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    server.answers = [_content(_zip())]

    assert fetch_pack({"name": NAME, "download": "http://packs.example/mydevice.zip"}, LIMITS).is_dir()


def _fetch_in_process(entry: dict[str, Any], home: str, results: Any) -> None:
    os.environ["NN_METER_HOME"] = home
    results.put(str(fetch_pack(entry, LIMITS)))


def test_two_processes_at_once(server: Server, own_home: Path) -> None:
    def slowly(handler: http.server.BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        _content(_zip())(handler)

    server.answers = [slowly]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=_fetch_in_process, args=(server.entry(), str(own_home), results))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    folders = {results.get(timeout=600) for _ in processes}
    for process in processes:
        process.join(600)

    assert folders == {str(own_home / "data" / "predictor" / NAME)}
    assert [process.exitcode for process in processes] == [0, 0]
    assert server.requests == 1
    assert load_folder(Path(folders.pop())).forests.slots.keys() == {"relu"}
