"""SpaceLatency under NNI 3.0."""

from __future__ import annotations

from typing import Any

import pytest
from nni.nas.space import SimplifiedModelSpace, model_context
from torch import nn

from nnmeter_nni import SpaceLatency
from nnmeter_nni.strategies.nas import MutableSpace
from predictor_core import LatencyPredictor
from tests.nnmeter_nni import space_checks
from tests.nnmeter_nni.space_checks import SHAPE
from tests.nnmeter_nni.spaces3 import AnyInputs, Inputs, Kernels, Mixed, NniCells, Widths


@pytest.mark.parametrize("kind", [Mixed, Widths])
def test_equals_full_traces(kind: Any, devices: list[LatencyPredictor], learned: LatencyPredictor) -> None:
    def build(sample: dict[str, Any]) -> nn.Module:
        with model_context(sample):
            module: nn.Module = kind()
        return module

    for predictor in (*devices, learned):
        space = SpaceLatency(kind(), predictor, input_shape=SHAPE)
        space_checks.check_equals_full_traces(space, build, predictor, 12, 0)


def test_choices_of_any_number_of_inputs(cpu: LatencyPredictor) -> None:
    space = SpaceLatency(AnyInputs(), cpu, input_shape=SHAPE)
    assert space.choices["any"] == [[0], [1], [0, 1], []]
    space_checks.check_no_input_is_no_reference(space)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("merge_op", ["all", "loose_end"])
def test_cells_equal_full_traces(merge_op: str, nested: bool, cpu: LatencyPredictor) -> None:
    def build(sample: dict[str, Any]) -> nn.Module:
        with model_context(sample):
            module: nn.Module = NniCells(merge_op, nested)
        return module

    space = SpaceLatency(NniCells(merge_op, nested), cpu, input_shape=SHAPE)
    space_checks.check_equals_full_traces(space, build, cpu, 12, 0)
    assert "op_1_0" in repr(space.latency_table())


def test_a_hopeless_search_ends_early(cpu: LatencyPredictor) -> None:
    space = MutableSpace(SimplifiedModelSpace.from_model(Kernels()))
    space_checks.check_a_hopeless_search_ends_early(space, cpu)


def test_input_choices_have_a_table_and_bounds(cpu: LatencyPredictor) -> None:
    space = SpaceLatency(Inputs(), cpu, input_shape=SHAPE)
    space_checks.check_bounds(space)
    space_checks.check_table(space)
    assert set(space.latency_table().choices["two"]) == {(0, 1), (0, 2), (1, 2)}
    assert space.latency({"one": 1, "two": [0, 2]}) == space.latency({"one": [1], "two": [0, 2]})


@pytest.mark.parametrize("kind", [Mixed, Widths])
def test_bounds_table_and_samples(kind: Any, cpu: LatencyPredictor) -> None:
    space = SpaceLatency(SimplifiedModelSpace.from_model(kind(), None), cpu, input_shape=SHAPE)
    space_checks.check_bounds(space)
    space_checks.check_table(space)
    space_checks.check_samples(space)
