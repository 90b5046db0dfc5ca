"""Processes that infer shapes: one for each thread that asks at once, kept for the files that follow.

A process that crashes, takes too much or hangs takes nothing else down; the next file gets a new one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from predictor_core.frontends.onnx.worker import ANSWER, REQUEST

_PROGRAM = Path(__file__).with_name("worker.py")

#: Real time that a request may take, as a multiple of its processor time: other processes run, too.
_PATIENCE = 20


class Inferred(NamedTuple):
    """What came of a model: a serialised GraphProto or the reason why there is none, and seconds spent."""

    graph: bytes
    error: str
    spent_s: float


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.answered = 0
        # In a session of its own, because the signal of Ctrl-C is for the process that asks.
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(_PROGRAM), *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.end = weakref.finalize(self, _end, self._process, self.owner)

    def ask(self, request: bytes, timeout_s: float) -> Inferred | None:
        """Return the answer to a request; None where the process has ended, or had to be ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return None
        timer = threading.Timer(timeout_s, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            stdin.write(request)
            stdin.flush()
            head = stdout.read(ANSWER.size)
            if len(head) < ANSWER.size:
                return None
            sound, spent_s, size = ANSWER.unpack(head)
            answer = stdout.read(size)
        except OSError:
            return None
        finally:
            timer.cancel()
        if len(answer) < size:
            return None
        self.answered += 1
        if sound:
            return Inferred(answer, "", spent_s)
        return Inferred(b"", answer.decode("utf-8", "replace"), spent_s)

    def is_exhausted(self) -> bool:
        """Whether the process has ended because it used up its processor time."""
        return self._process.returncode == -getattr(signal, "SIGXCPU", 0)


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a process, unless this one is a fork of the one that it belongs to."""
    if owner != os.getpid():
        return
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()


#: Processes that nobody asks at the moment.
_IDLE: list[_Worker] = []


def ask(model: bytes, propagate: bool, memory_bytes: int, seconds: float) -> Inferred:
    """Infer the shapes of a model in a process apart.

    Parameters
    ----------
    model : bytes
        Serialised ModelProto.
    propagate : bool
        Compute numbers, too, where shapes depend on them.
    memory_bytes : int
        Address space of the process.
    seconds : float
        Processor time that it may take.

    Returns
    -------
    Inferred
        The graph is without nodes and initializers.

    Raises
    ------
    OSError
        There can be no such process.
    """
    request = REQUEST.pack(memory_bytes, seconds, propagate, len(model)) + model
    while True:
        worker = _taken()
        used = worker.answered > 0
        done = None
        try:
            done = worker.ask(request, _PATIENCE * (seconds + 1))
        finally:
            if done is None:
                worker.end()
        if done is not None:
            _IDLE.append(worker)
            return done
        # What other files have left in its memory, or its age, may be why a process that was used has ended.
        if not used or worker.is_exhausted():
            return Inferred(b"", "onnx crashed, or took too much memory or time", seconds)


def _taken() -> _Worker:
    with suppress(IndexError):
        while True:
            # The last one, so that those which are not needed any more end by themselves.
            worker = _IDLE.pop()
            # A forked process has the list of its parent, whose processes are not its own.
            if worker.owner == os.getpid():
                return worker
    return _Worker()
