"""LatencyProfiler with what NNI 3.0 uses profilers for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nni.nas.oneshot.pytorch.profiler import (
    ExpectationProfilerPenalty,
    RangeProfilerFilter,
    SampleProfilerPenalty,
)

from nnmeter_nni import LatencyProfiler
from nnmeter_nni.candidates import freeze
from predictor_core import LatencyPredictor
from tests.nnmeter_nni.space_checks import SHAPE
from tests.nnmeter_nni.spaces3 import Inputs, Mixed, NniCells

SAMPLE = {"first": 1, "second": "block", "act": 0}


@pytest.fixture(scope="module")
def profiler(cpu: LatencyPredictor) -> LatencyProfiler:
    return LatencyProfiler(Mixed(), cpu, input_shape=SHAPE)


def test_profile_is_the_latency_of_the_sample(profiler: LatencyProfiler) -> None:
    assert profiler.profile(SAMPLE) == profiler.space.latency(SAMPLE)
    # A sample of a whole experiment has choices of the evaluator too.
    assert profiler.profile({**SAMPLE, "learning_rate": 0.1}) == profiler.space.latency(SAMPLE)


def test_range_filter(profiler: LatencyProfiler) -> None:
    ms = profiler.profile(SAMPLE)
    assert RangeProfilerFilter(profiler, max=1.01 * ms)(SAMPLE)
    assert not RangeProfilerFilter(profiler, max=0.99 * ms)(SAMPLE)
    assert not RangeProfilerFilter(profiler, min=1.01 * ms)(SAMPLE)


def test_penalties(profiler: LatencyProfiler) -> None:
    ms = profiler.profile(SAMPLE)
    loss, details = SampleProfilerPenalty(profiler, baseline=ms / 2)(torch.tensor(1.0), SAMPLE)
    assert details["penalty"] == ms
    assert float(loss) == pytest.approx(2.0)
    sure = {
        label: {value: float(value == SAMPLE[label]) for value in values}
        for label, values in profiler.space.choices.items()
    }
    _, details = ExpectationProfilerPenalty(profiler, baseline=ms)(torch.tensor(1.0), sure)
    assert details["penalty"] == pytest.approx(profiler.expression.evaluate(SAMPLE))
    assert details["penalty"] == pytest.approx(ms, rel=0.3)


@pytest.mark.parametrize("make", [Inputs, lambda: NniCells("loose_end", False)], ids=["inputs", "cells"])
def test_choices_of_inputs_can_be_profiled(make: Any, cpu: LatencyPredictor) -> None:
    profiler = LatencyProfiler(make(), cpu, input_shape=SHAPE)
    sample = profiler.space.sample(0)
    assert profiler.profile(sample) == profiler.space.latency(sample)
    assert RangeProfilerFilter(profiler, max=1.01 * profiler.profile(sample))(sample)
    # Distributions as NNI's one-shot strategies give them: over inputs, not over lists of one input.
    sure = {
        label: {value: float(value == _only(sample[label])) for value in map(_only, values)}
        for label, values in profiler.space.choices.items()
    }
    _, details = ExpectationProfilerPenalty(profiler, baseline=1.0)(torch.tensor(1.0), sure)
    table = profiler.space.latency_table()
    total = table.base_ms + sum(table.choices[label][freeze(value)] for label, value in sample.items())
    assert details["penalty"] == pytest.approx(total)


def _only(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return value[0] if len(value) == 1 else tuple(value)
