"""Run an experiment in a process of its own, and make sure that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.processes import heed_interrupts

HERE = Path(__file__).resolve().parent / "experiments"
ROOT = HERE.parents[2]

#: Seconds that an experiment may take on a busy machine, and that its processes may take to go away.
TIMEOUT_S = 1500
GRACE_S = 300


@dataclass
class Outcome:
    """Exit status, output, the line of results where there is one, and what was left running."""

    status: int
    output: str
    result: dict[str, Any] | None
    left: list[str]


def run(script: str, folder: Path, *, interrupt_at: str | None = None, **options: Any) -> Outcome:
    """Run a script of the folder ``experiments`` with options, and interrupt it when it prints a text."""
    return launch(
        [sys.executable, script, json.dumps({**options, "folder": str(folder / "nni")})],
        HERE,
        interrupt_at=interrupt_at,
    )


def launch(command: list[str], folder: Path, *, interrupt_at: str | None = None) -> Outcome:
    """Run a command in a folder, to its end or to Ctrl-C."""
    mark = uuid.uuid4().hex
    search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "NNMETER_TEST_RUN": mark, "PYTHONPATH": search_path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    # With all that it has started, which may hold its stdout.
    watchdog = threading.Timer(TIMEOUT_S, _kill, [mark])
    watchdog.start()
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if interrupt_at is not None and interrupt_at in line:
                interrupt_at = None
                process.send_signal(signal.SIGINT)
        status = process.wait(timeout=GRACE_S)
        deadline = time.monotonic() + GRACE_S
        while (left := _left(mark)) and time.monotonic() < deadline:
            time.sleep(1)
    finally:
        watchdog.cancel()
        _kill(mark)
    results = [line for line in lines if line.startswith("RESULT ")]
    result = json.loads(results[0].partition(" ")[2]) if results else None
    return Outcome(status, "".join(lines), result, left)


def _processes(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("NNMETER_TEST_RUN") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _left(mark: str) -> list[str]:
    return [" ".join(process.cmdline()[:4]) for process in _processes(mark)]


def _kill(mark: str) -> None:
    for process in _processes(mark):
        process.kill()
