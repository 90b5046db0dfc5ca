"""What the benchmarks share, and the one that may have to skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.scripts import load_script

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def harness() -> ModuleType:
    return load_script("benchmarks/harness.py")


def test_a_table_aligns_and_leaves_absent_cells_empty(harness: ModuleType) -> None:
    rows = [{"work": "load", "ms": 12.3456}, {"work": "predict", "ms": 12345.6, "note": "slow"}]
    assert harness.table(rows).splitlines() == [
        "| work    | ms     | note |",
        "|---------|--------|------|",
        "| load    | 12.3   |      |",
        "| predict | 12,346 | slow |",
    ]


def test_the_time_before_a_call_does_not_count(harness: ModuleType) -> None:
    calls: list[str] = []
    seconds = harness.median_seconds(lambda: calls.append("run"), 3, before=lambda: calls.append("before"))
    assert calls == ["before", "run"] * 3
    assert 0 <= seconds < 1


def test_fresh_processes_answer_in_json(harness: ModuleType) -> None:
    assert harness.fresh(
        "import sys, json; print('noise'); print(json.dumps(sys.argv[1:]))", "a", repeat=2
    ) == [
        ["a"],
        ["a"],
    ]
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        harness.fresh("1 / 0")


def test_without_python_38_the_comparison_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "versus_nn_meter.py"), "--work", str(tmp_path)],
        env={"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join([str(FOLDER.parent)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "skipped: there is no Python 3.8 on this machine, and nn-Meter 2.0 needs one\n"
