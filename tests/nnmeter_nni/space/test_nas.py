"""SpaceLatency under NNI 3.0."""

from __future__ import annotations

from typing import Any

import pytest
from nni.nas.space import SimplifiedModelSpace, model_context
from torch import nn

from nnmeter_nni import SpaceLatency
from predictor_core import LatencyPredictor
from tests.nnmeter_nni import space_checks
from tests.nnmeter_nni.space_checks import SHAPE
from tests.nnmeter_nni.spaces3 import Mixed, Widths


@pytest.mark.parametrize("kind", [Mixed, Widths])
def test_equals_full_traces(kind: Any, devices: list[LatencyPredictor]) -> None:
    def build(sample: dict[str, Any]) -> nn.Module:
        with model_context(sample):
            module: nn.Module = kind()
        return module

    for predictor in devices:
        space = SpaceLatency(kind(), predictor, input_shape=SHAPE)
        space_checks.check_equals_full_traces(space, build, predictor, 12, 0)


@pytest.mark.parametrize("kind", [Mixed, Widths])
def test_bounds_table_and_samples(kind: Any, cpu: LatencyPredictor) -> None:
    space = SpaceLatency(SimplifiedModelSpace.from_model(kind(), None), cpu, input_shape=SHAPE)
    space_checks.check_bounds(space)
    space_checks.check_table(space)
    space_checks.check_samples(space)
