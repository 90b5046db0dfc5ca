"""The spaces that come with NNI 3.0."""

from __future__ import annotations

import pytest
from nni.nas.hub import pytorch as hub
from nni.nas.space import SimplifiedModelSpace

from nnmeter_nni.strategies.nas import MutableSpace
from tests.nnmeter_nni.hub_checks import SIZES, check_five_random_candidates

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", [*SIZES, "AutoFormer"])
def test_five_random_candidates(name: str) -> None:
    space = MutableSpace(SimplifiedModelSpace.from_model(getattr(hub, name)()))
    check_five_random_candidates(space, SIZES.get(name, 224))
