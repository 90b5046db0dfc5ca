"""The spaces that come with NNI 2.10."""

from __future__ import annotations

from typing import Any

import pytest
from nni.nas.nn.pytorch.mutator import extract_mutation_from_pt_module
from nni.retiarii import fixed_arch
from nni.retiarii.hub import pytorch as hub
from torch import nn

from nnmeter_nni.strategies.retiarii import MutatorSpace
from predictor_core.errors import PredictorError
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


@pytest.mark.parametrize("name", QUICK)
def test_random_candidates(name: str) -> None:
    kind = getattr(hub, name.partition("-")[0])
    options: dict[str, Any] = FIXED if name.endswith("-fixed") else {}
    space = MutatorSpace(*extract_mutation_from_pt_module(kind(**options)))
    check_random_candidates(space, SIZES[name.partition("-")[0]])


@pytest.mark.parametrize(
    "name",
    [
        *(f"{name}-fixed" for name in CELLS),
        *(name for name in SIZES if name not in ("NasBench101", *DEEP[3])),
    ],
)
def test_space_latency_equals_full_traces(name: str) -> None:
    kind = getattr(hub, name.partition("-")[0])
    options: dict[str, Any] = FIXED if name.endswith("-fixed") else {}

    def build(sample: dict[str, Any]) -> nn.Module:
        with fixed_arch(sample, verbose=False):
            module: nn.Module = kind(**options)
        return module

    draws = 3 if options or name not in CELLS else 1
    check_space_latency(lambda: kind(**options), build, SIZES[name.partition("-")[0]], draws)


def test_choices_without_a_list_of_values_are_refused() -> None:
    expected = r"the choice 'cell' has no list of at most \d+ values; predict candidates .* one by one"
    with pytest.raises(PredictorError, match=expected):
        check_space_latency(hub.NasBench101, lambda sample: hub.NasBench101(), SIZES["NasBench101"], 1)
