"""A short run of the fuzzing harness: nothing but the package's own errors leaves it, within the budgets."""

from __future__ import annotations

import pytest

from benchmarks.fuzz import TARGETS, fuzz

#: Fewer where a case takes a process of its own.
CASES = {"onnx": 8}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TARGETS))
def test_mutated_files_are_read_or_refused(name: str) -> None:
    if name == "onnx":
        pytest.importorskip("onnx")
    outcome = fuzz(name, seed=16, cases=CASES.get(name, 100))

    assert outcome.leaks == []
    assert outcome.cases == CASES.get(name, 100)
