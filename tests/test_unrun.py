"""The check of `.ci/run` that every test runs in some environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TESTS = {
    "test_one.py": """
def test_a():
    pytest.importorskip({0!r})

def test_b():
    pass
""",
    "test_two.py": """
pytest.importorskip({1!r})

def test_c():
    pass
""",
    "test_three.py": """
def test_d():
    pytest.skip("no bash here")
""",
}


def report(folder: Path, *packages: str) -> Path:
    folder.mkdir()
    for name, text in TESTS.items():
        (folder / name).write_text(f"import pytest\n{text.format(*packages)}")
    path = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={path}", "."]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return path


def unrun(*reports: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / "unrun.py"), *map(str, reports)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_no_environment_runs_is_named(tmp_path: Path) -> None:
    without, half = (
        report(tmp_path / "without", "absent", "absent"),
        report(tmp_path / "half", "json", "absent"),
    )
    assert (answer := unrun(without)).returncode == 1
    assert [line.split(":")[0] for line in answer.stdout.splitlines()] == [
        "no environment runs test_one",
        "no environment runs test_two",
    ]
    assert (answer := unrun(without, half)).returncode == 1
    assert answer.stdout.startswith("no environment runs test_two:")
    assert answer.stdout.count("\n") == 1
    assert unrun(without, half, report(tmp_path / "all", "json", "json")).stdout == ""
