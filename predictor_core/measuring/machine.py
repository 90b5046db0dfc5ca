"""The machine that measures: its processor, and threads bound to cores of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")


def cpu_name() -> str:
    """Name of the processor, as the system states it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip().lower() in ("model name", "hardware") and value.strip():
                return " ".join(value.split())
    return platform.processor() or platform.machine() or "unknown processor"


def available_cores() -> list[int]:
    """Processors that this process may use, one of each physical core first."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(os.cpu_count() or 1))
    first: list[int] = []
    second: list[int] = []
    seen: set[str] = set()
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = _siblings(cpu)
        (second if siblings in seen else first).append(cpu)
        seen.add(siblings)
    return first + second


@contextmanager
def pinned(threads: int) -> Iterator[bool]:
    """Bind this thread, and the threads that it starts, to as many cores; gives whether that worked.

    The binding is undone at the end. Systems without processor affinity run unbound.
    """
    cores = available_cores()
    if not hasattr(os, "sched_setaffinity") or len(cores) < threads:
        yield False
        return
    before = os.sched_getaffinity(0)
    try:
        # The system's own work prefers the first core.
        physical = cores[: max(threads, len({_siblings(cpu) for cpu in cores}))]
        os.sched_setaffinity(0, physical[-threads:])
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)


def _siblings(cpu: int) -> str:
    """Processors that share a core with one, or the processor itself where that is not known."""
    try:
        return (_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)
