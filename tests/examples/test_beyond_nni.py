"""The searches with other packages than NNI, run as a user would."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _run(package: str, *arguments: str) -> list[str]:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    script = ROOT / "examples" / "beyond_nni" / f"{package}_search.py"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _front(lines: list[str]) -> list[tuple[float, float]]:
    words = [line.split() for line in lines if line.startswith("Pareto front: ")]
    return [(float(one[2]), float(one[-1])) for one in words]


def test_optuna() -> None:
    lines = _run("optuna", "25")
    assert lines[0].startswith("below 30 ms: score ")
    front = _front(lines)
    assert front == sorted(front)
    assert [score for _, score in front] == sorted(score for _, score in front)


def test_pymoo() -> None:
    front = _front(_run("pymoo", "3"))
    assert front
    assert all(ms <= 60.0 for ms, _ in front)
    assert [score for _, score in front] == sorted(score for _, score in front)


def test_ax() -> None:
    (line,) = _run("ax", "7")
    ms = float(line.split(", ")[1].split()[0])
    assert line.startswith("below 30 ms: score ")
    assert 0.0 < ms <= 30.0
