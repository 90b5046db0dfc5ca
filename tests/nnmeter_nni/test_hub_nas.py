"""The spaces that come with NNI 3.0."""

from __future__ import annotations

from typing import Any

import pytest
from nni.nas.hub import pytorch as hub
from nni.nas.space import SimplifiedModelSpace, model_context
from torch import nn

from nnmeter_nni.strategies.nas import MutableSpace
from tests.nnmeter_nni.hub_checks import (
    CELLS,
    DEEP,
    FIXED,
    QUICK,
    SIZES,
    check_random_candidates,
    check_space_latency,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", [*QUICK, "AutoFormer"])
def test_random_candidates(name: str) -> None:
    kind = getattr(hub, name.partition("-")[0])
    options: dict[str, Any] = FIXED if name.endswith("-fixed") else {}
    space = MutableSpace(SimplifiedModelSpace.from_model(kind(**options)))
    check_random_candidates(space, SIZES.get(name.partition("-")[0], 224))


@pytest.mark.parametrize(
    "name", [*(f"{name}-fixed" for name in CELLS), *(name for name in SIZES if name not in DEEP[2])]
)
def test_space_latency_equals_full_traces(name: str) -> None:
    kind = getattr(hub, name.partition("-")[0])
    options: dict[str, Any] = FIXED if name.endswith("-fixed") else {}

    def build(sample: dict[str, Any]) -> nn.Module:
        with model_context(sample):
            module: nn.Module = kind(**options)
        return module

    draws = 3 if options or name not in CELLS else 1
    check_space_latency(lambda: kind(**options), build, SIZES[name.partition("-")[0]], draws)
