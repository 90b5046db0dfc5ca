"""A minute of the fuzzing harness: nothing but the package's own errors leaves it, within the budgets."""

from __future__ import annotations

import pytest

from benchmarks.fuzz import TARGETS, fuzz

#: What is slow to read is tried less often.
CASES = {"openvino": 60, "pt2": 15}
#: What reads a kind of file, where it is no part of the package.
NEEDED = {"onnx": "onnx", "pt2": "torch"}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TARGETS))
def test_mutated_files_are_read_or_refused(name: str) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    cases = CASES.get(name, 300)
    outcome = fuzz(name, seed=16, cases=cases)

    assert outcome.leaks == []
    assert outcome.cases == cases
