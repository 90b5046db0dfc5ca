"""Checks of SpaceLatency that hold under both majors of NNI."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import numpy as np
import pytest

from nnmeter_nni import CandidateLatency, LatencyFilter, NoCandidateError, SpaceLatency
from nnmeter_nni.candidates import freeze
from predictor_core import LatencyPredictor
from predictor_core.ir.graph import Graph

SHAPE = (1, 3, 16, 16)


def check_equals_full_traces(
    space: SpaceLatency, build: Any, predictor: LatencyPredictor, draws: int, seed: int
) -> None:
    """Every draw has the latency of a trace of the module that `build` makes of its sample."""
    rng = Random(seed)
    for _ in range(draws):
        sample = space.sample(rng)
        expected = predictor.predict(build(sample), "torch", input_shape=space.input_shape)
        assert space.latency(sample) == pytest.approx(expected, rel=1e-9), sample


def check_bounds(space: SpaceLatency) -> None:
    """The bounds are those of all candidates."""
    every = [dict(zip(space.choices, chosen)) for chosen in itertools.product(*space.choices.values())]
    latencies = [space.latency(sample) for sample in every]
    fastest, slowest = space.bounds()
    assert fastest.exact
    assert slowest.exact
    assert fastest.latency_ms == pytest.approx(min(latencies), rel=1e-9)
    assert slowest.latency_ms == pytest.approx(max(latencies), rel=1e-9)
    assert space.latency(fastest.sample) == pytest.approx(fastest.latency_ms, rel=1e-12)


def check_table(space: SpaceLatency) -> None:
    """The table is exact for candidates that differ from the first values in one choice."""
    table = space.latency_table()
    reference = {label: values[0] for label, values in space.choices.items()}
    for label, values in space.choices.items():
        assert min(table.choices[label].values()) == 0.0
        for value in values:
            sample = {**reference, label: value}
            total = table.base_ms + sum(table.choices[one][freeze(chosen)] for one, chosen in sample.items())
            assert total == pytest.approx(space.latency(sample), rel=1e-9)
    assert all(label in repr(table) for label in space.choices)


def check_no_input_is_no_reference(space: SpaceLatency) -> None:
    """Where a choice may take no input at all, what fails then is infinite, and all else has a latency.

    Parameters
    ----------
    space : SpaceLatency
        With a choice ``any`` of any number of inputs, whose result is needed.
    """
    table = space.latency_table()
    assert table.choices["any"][()] == np.inf
    del table.choices["any"][()]
    assert all(np.isfinite(ms) for added in table.choices.values() for ms in added.values())
    fastest, slowest = space.bounds()
    assert 0 < fastest.latency_ms < slowest.latency_ms < np.inf


def check_samples(space: SpaceLatency) -> None:
    """`sample_latencies` gives the latencies of the samples that the same seed draws."""
    found = space.sample_latencies(50, seed=7)
    rng = Random(7)
    np.testing.assert_allclose(found, [space.latency(space.sample(rng)) for _ in range(50)], rtol=1e-12)
    assert found.dtype == np.float64


def check_a_hopeless_search_ends_early(space: Any, predictor: LatencyPredictor) -> None:
    """A filter that its space can't pass says so after a few draws, and what it can pass goes on.

    Parameters
    ----------
    space : MutatorSpace or MutableSpace
        Of more candidates than are drawn.
    predictor : LatencyPredictor
        The device.
    """
    rng = Random(0)
    latency = CandidateLatency([predictor], input_shape=SHAPE)
    some = [latency(space.model(space.random(rng)))[predictor.name] for _ in range(10)]
    for threshold, options in (
        (0.2 * min(some), {}),
        (5.0 * max(some), {"reverse": True}),
        (9.0 * max(some), {"min_latency": 5.0 * max(some)}),
    ):
        hopeless = LatencyFilter(threshold, predictor, input_shape=SHAPE, **options)  # type: ignore[arg-type]
        with pytest.raises(NoCandidateError, match="no candidate of this space can pass"):
            _judge(hopeless, space, rng, 200)
        assert hopeless.stats.seen <= 100
        assert not hopeless.stats.accepted
    patient = LatencyFilter(0.2 * min(some), predictor, input_shape=SHAPE, patience=None)
    _judge(patient, space, rng, 120)
    assert patient.stats.rejected == 120
    # Few pass, but some do: the search is not hopeless.
    fastest, _ = hopeless.latency.bounds()[predictor.name]  # type: ignore[index]
    rare = LatencyFilter(1.0001 * fastest, predictor, input_shape=SHAPE)
    _judge(rare, space, rng, 120)


def _judge(latency_filter: LatencyFilter, space: Any, rng: Random, draws: int) -> None:
    for _ in range(draws):
        latency_filter(space.model(space.random(rng)))


def content(graph: Graph) -> list[Any]:
    """What a Graph says, without names."""
    return [(node.op, dict(node.attrs), node.outputs) for node in graph.nodes]


def only_space(latency: CandidateLatency) -> Any:
    """The memo of the one space that was asked about."""
    (space,) = latency._spaces.values()
    return space
