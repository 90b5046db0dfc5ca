"""Every embedded predictor says about every model what its golden file says.

A change of any number fails here, and is accepted by ``pytest tests/golden --update-golden``, which rewrites
the files: commit them with a message that says which numbers moved and why.
"""

from __future__ import annotations

import pytest

from predictor_core import list_latency_predictors, load_latency_predictor
from tests.golden import answers
from tests.golden.models import MODELS

EMBEDDED = [(entry["name"], entry["version"]) for entry in list_latency_predictors() if "pack" in entry]


@pytest.mark.parametrize(("name", "version"), EMBEDDED)
def test_latencies(name: str, version: str, update_golden: bool) -> None:
    predictor = load_latency_predictor(name, version)
    now = {model: answers.answer(predictor, make()) for model, make in MODELS.items()}
    if update_golden:
        answers.write(f"{name}-{version}", now)
    golden = answers.read(f"{name}-{version}")
    assert golden.keys() == now.keys()
    changes = [f"{model}: {line}" for model in now for line in answers.differences(golden[model], now[model])]
    assert not changes, "\n".join(["these latencies changed (see the top of this file):", *changes])
