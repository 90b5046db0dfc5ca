"""What learning from few measurements keeps of a run that was stopped."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("scipy")


def test_what_was_computed_once_is_read_again(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "few_shot_data.py"
    spec = importlib.util.spec_from_file_location("few_shot_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
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
