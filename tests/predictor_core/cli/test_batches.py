"""Batches lose nothing: whatever happens to some models, streams or processes, the others are answered."""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from predictor_core import zoo
from predictor_core.cli import predict as command
from predictor_core.cli.main import main
from predictor_core.cli.models import Source
from predictor_core.errors import PredictorError
from predictor_core.frontends.nnmeter_ir import to_document
from predictor_core.predictor import LatencyPredictor
from tests.processes import heed_interrupts

CPU = "cortexA76cpu_tflite21"
ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
RUN = [sys.executable, "-m", "predictor_core.cli.main", "predict", "--predictor", CPU, "--nn-meter-ir"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "alexnet.json"
    path.write_text(json.dumps(to_document(zoo.build("alexnet"))))
    return path


class Deadly(LatencyPredictor):
    """Kills the process that reads a model of a certain name, as running out of memory does."""

    def read(self, model: Any, *arguments: Any, **options: Any) -> Any:
        if "deadly" in str(model):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(model, *arguments, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_deadly, ())


def _deadly() -> Deadly:
    return Deadly.from_pack(next((ROOT / "predictor_core" / "devices" / CPU).glob("*.pack")))


@pytest.mark.slow
def test_a_killed_worker_takes_no_other_model_with_it(model: Path) -> None:
    request = command._Request((_deadly(),))
    names = ["a", "b", "deadly", "c", "d", "e"]
    sources = []
    for name in names:
        path = model.with_name(f"{name}.json")
        shutil.copy(model, path)
        sources.append(Source(str(path), name, "nnmeter-ir"))

    answers = list(command._in_workers(request, sources, 2))

    assert [answer.source.label for answer in answers] == names
    killed = answers.pop(2)
    assert killed.errors == ["the process that read it was killed; did it run out of memory?"]
    assert all(len(answer.reports) == 1 and not answer.errors for answer in answers)


@pytest.mark.slow
def test_a_killed_worker_of_many_predictions_is_an_error_of_ours(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictor_core.predictor.batch.WORKERS_WORTH_S", 0.0)
    shutil.copy(model, model.with_name("deadly.json"))
    models = [str(model)] * 60 + [str(model.with_name("deadly.json"))]

    with pytest.raises(PredictorError, match="a worker process was killed"):
        _deadly().predict_many(models, "nnmeter-ir", n_jobs=2)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))


def test_results_that_do_not_fit_on_the_disk_go_to_stderr(model: Path, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        done = subprocess.run(
            [*RUN, *[str(model)] * 6],
            stdout=out,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            preexec_fn=_limited,
            text=True,
        )

    written = (tmp_path / "out").read_text()
    named = re.findall(r"^\[RESULT\] .* ms", written, re.MULTILINE)
    lost = re.findall(r"stdout can't be written \(File too large\): \[RESULT\]", done.stderr)
    assert len(named) >= 1
    assert len(named) + len(lost) >= 6
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_results_of_a_closed_stdout_go_to_stderr(model: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *RUN, str(model), str(model)],
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )

    assert done.stderr.count("[RESULT] predict latency for") == 2
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", ["closed", "broken"])
def test_without_a_stderr_the_results_come(how: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    arguments = [*RUN, str(tmp_path / "bad.json"), str(model)]
    if how == "closed":
        arguments = ["sh", "-c", '"$@" 2>&-', "sh", *arguments]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=writer, env=ENVIRONMENT, text=True)
    os.close(writer)

    assert done.stdout.count("[RESULT] predict latency for alexnet.json") == 1
    assert done.returncode == 1


def test_json_of_a_broken_pipe_ends_in_silence(model: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*RUN, str(model), "--json"], stdout=writer, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True
    )
    os.close(writer)

    assert done.returncode == 141
    assert "error" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_an_interrupt_prints_what_was_finished_as_json(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    shutil.copy(model, tmp_path / "m.json")
    # Short names, for many have to fit into a command line: more than are finished before the signal arrives.
    count = 100_000
    running = subprocess.Popen(
        [*RUN, "bad.json", *["m.json"] * count, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        cwd=tmp_path,
        preexec_fn=heed_interrupts,
        text=True,
    )
    assert running.stderr is not None
    assert "bad.json" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate()

    rows = json.loads(out)
    assert rows[0]["error"]
    assert len(rows) < count + 1
    assert running.returncode == 130


def test_links_to_nothing_and_names_that_can_not_be_are_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.symlink(tmp_path / "gone", tmp_path / "link.json")
    os.symlink(tmp_path / "b.json", tmp_path / "a.json")
    os.symlink(tmp_path / "a.json", tmp_path / "b.json")
    shutil.copy(model, tmp_path / "good.json")
    long = f"{'x' * 5000}.json"

    names = [str(tmp_path), long, "a\0b.json"]
    assert main(["predict", "--predictor", CPU, "--nn-meter-ir", *names]) == 1

    captured = capsys.readouterr()
    assert captured.out.count("[RESULT] predict latency for good.json") == 1
    told = [line for line in captured.err.splitlines() if "error" in line]
    assert [line.split(":")[2].strip()[:9] for line in told] == [
        *("a.json", "b.json", "link.json"),
        *("xxxxxxxxx", r"a\x00b.js"),
    ]
    assert all("link to nothing" in line for line in told[:3])
    assert all(len(line) < 2100 for line in told)


def _without_privileges() -> None:
    """Take from root the right to read what is closed to its owner."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (1, 2):
        prctl(24, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities of Linux")
def test_a_folder_that_may_not_be_read_is_named(model: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    look = [sys.executable, "-c", "import os, sys; os.listdir(sys.argv[1])", str(closed)]
    if not subprocess.run(look, capture_output=True, preexec_fn=_without_privileges).returncode:
        pytest.skip("nothing is closed to this user")
    done = subprocess.run(
        [*RUN, str(closed), str(model)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=_without_privileges,
    )

    assert done.stdout.count("[RESULT] predict latency for alexnet.json") == 1
    assert re.search(r"error: \S*closed: it can't be read: Permission denied", done.stderr)
    assert done.returncode == 1


@pytest.mark.parametrize("content", ["{", '{"x": 5}'])
def test_a_line_break_in_a_name_forges_no_line(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\n[RESULT] predict latency for b: 1.0 ms\n.json"
    (tmp_path / name).write_text(content)

    assert main(["predict", "--predictor", CPU, "--nn-meter-ir", str(tmp_path)]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line[:16] for line in captured.err.splitlines()] == ["nn-meter: error:"]


def _wait_until(reached: Callable[[], bool], seconds: float = 300.0) -> bool:
    end_s = time.monotonic() + seconds
    while not reached() and time.monotonic() < end_s:
        time.sleep(0.1)
    return reached()


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


COMMAND = (
    "import sys; from predictor_core.cli import main; from predictor_core.predictor import batch; "
    "batch.WORKERS_WORTH_S = 0.0; "
    "sys.exit(main.main(['predict', '--predictor', sys.argv[1], '--jobs', '2', *[sys.argv[2]] * 20_000]))"
)
FUNCTION = """
import sys
from predictor_core import load_latency_predictor
from predictor_core.predictor import batch

batch.WORKERS_WORTH_S = 0.0

def models():
    for _ in range(100_000):
        print("[RESULT] is asked for", flush=True)
        yield sys.argv[2]

load_latency_predictor(sys.argv[1]).predict_many(models(), n_jobs=2)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
@pytest.mark.parametrize("code", [COMMAND, FUNCTION], ids=["command", "function"])
def test_workers_end_with_their_parent(code: str, model: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", code, CPU, str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        text=True,
    )
    assert running.stdout is not None
    for _ in range(1200):
        # More than this process answers itself, and more than waits for a worker.
        assert running.stdout.readline().startswith("[RESULT]")
    children = _children(running.pid)
    assert len(children) >= 2
    running.kill()
    running.stdout.close()
    running.wait()

    assert _wait_until(lambda: not any(map(_is_running, children)))
