"""What the benchmarks share: timing, fresh processes, tables, JSON files.

Every benchmark is a script: it prints a table and writes ``benchmarks/results/<name>.json``;
``python benchmarks/results.py`` puts all of them into ``benchmarks/RESULTS.md``.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from predictor_core.files import write_atomically

RESULTS = Path(__file__).parent / "results"

Row = dict[str, Any]


def median_seconds(
    function: Callable[[], object], repeat: int = 5, before: Callable[[], object] | None = None
) -> float:
    """Median wall time of a call in seconds; `before` runs ahead of each call and is not counted."""
    times = []
    for _ in range(repeat):
        if before is not None:
            before()
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fresh(code: str, *arguments: str, python: str = sys.executable, repeat: int = 1) -> list[Any]:
    """Run `code` in new processes; returns what each printed on its last line, read as JSON."""
    answers = []
    for _ in range(repeat):
        done = subprocess.run(
            [python, "-c", code, *arguments], capture_output=True, text=True, check=False, env=os.environ
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        answers.append(json.loads(done.stdout.splitlines()[-1]))
    return answers


#: Source of a function for `fresh` code: resident memory of this process in MB.
RSS = """
def rss_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
"""


def machine() -> dict[str, Any]:
    """Return what a reader needs to compare the numbers."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = names[0] if names else cpu
    packages = {}
    for package in ("numpy", "onnx", "torch", "nni"):
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **packages,
        # A table made while others used the cores is not to be compared with one that was not.
        "load average": round(os.getloadavg()[0], 1),
    }


def table(rows: Sequence[Row]) -> str:
    """Rows of equal keys as a Markdown table."""
    if not rows:
        return "(no rows)"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([_text(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def publish(name: str, title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
    """Print a table and write it as JSON."""
    print(f"\n{title}\n\n{table(rows)}")
    for note in notes:
        print(f"\n{note}")
    content = {
        "title": title,
        "script": Path(sys.argv[0]).name,
        "machine": machine(),
        "rows": list(rows),
        "notes": list(notes),
    }
    write_atomically(RESULTS / f"{name}.json", json.dumps(content, indent=1) + "\n")


def published(name: str) -> list[dict[str, Any]]:
    """Return the rows of a table as they were last written; none where it never was."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
