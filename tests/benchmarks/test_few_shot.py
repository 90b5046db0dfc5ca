"""What learning from few measurements keeps of a run that was stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts import load_script

pytest.importorskip("scipy")


def test_what_was_computed_once_is_read_again(tmp_path: Path) -> None:
    module = load_script("benchmarks/few_shot_data.py")
    calls: list[int] = []

    def compute() -> tuple[float, str]:
        calls.append(1)
        return 0.5, "prior"

    for _ in range(2):
        results = module.Results(tmp_path)
        for _ in range(2):
            assert results.once("bench", "a", 10, compute=compute) == [0.5, "prior"]
    results.once("bench", "a", 50, compute=compute)
    assert len(calls) == 2
