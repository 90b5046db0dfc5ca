"""The spaces that come with NNI 2.10."""

from __future__ import annotations

import pytest
from nni.nas.nn.pytorch.mutator import extract_mutation_from_pt_module
from nni.retiarii.hub import pytorch as hub

from nnmeter_nni.strategies.retiarii import MutatorSpace
from tests.nnmeter_nni.hub_checks import SIZES, check_five_random_candidates

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SIZES)
def test_five_random_candidates(name: str) -> None:
    space = MutatorSpace(*extract_mutation_from_pt_module(getattr(hub, name)()))
    check_five_random_candidates(space, SIZES[name])
