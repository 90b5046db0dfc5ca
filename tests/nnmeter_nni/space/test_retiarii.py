"""SpaceLatency and factors under NNI 2.10."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nni.nas.experiment.pytorch import preprocess_model
from nni.nas.nn.pytorch.mutator import extract_mutation_from_pt_module
from nni.retiarii import fixed_arch
from torch import nn

from nnmeter_nni import CandidateLatency, SpaceLatency
from nnmeter_nni.candidates import candidate_to_graph
from nnmeter_nni.strategies.retiarii import MutatorSpace
from predictor_core import LatencyPredictor, PredictorError
from tests.nnmeter_nni import space_checks
from tests.nnmeter_nni.space_checks import SHAPE, content, only_space
from tests.nnmeter_nni.spaces2 import Cells, Chain, Inputs, Kernels, Mixed, NniCells, Peeking, Widths


def fixed(kind: Any, *arguments: Any) -> Any:
    def build(sample: dict[str, Any]) -> nn.Module:
        with fixed_arch(sample, verbose=False):
            module: nn.Module = kind(*arguments)
        return module

    return build


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 10_000), length=st.integers(1, 6), device=st.integers(0, 3))
def test_equals_full_traces_on_random_spaces(
    devices: list[LatencyPredictor], seed: int, length: int, device: int
) -> None:
    space = SpaceLatency(Chain(seed, length), devices[device], input_shape=SHAPE)
    space._memo.fill(60)
    space_checks.check_equals_full_traces(space, fixed(Chain, seed, length), devices[device], 12, seed)
    # Choices without an effect on where kernels end, and choices inside choices, do not stop the factors.
    assert space._memo.factors is not None
    assert space._memo.factors.usable


@pytest.mark.parametrize("kind", [Mixed, Widths])
def test_equals_full_traces(kind: Any, cpu: LatencyPredictor) -> None:
    space = SpaceLatency(kind(), cpu, input_shape=SHAPE)
    space_checks.check_equals_full_traces(space, fixed(kind), cpu, 15, 0)
    space_checks.check_samples(space)


def test_equals_full_traces_where_branches_run_at_once(devices: list[LatencyPredictor]) -> None:
    vpu = next(one for one in devices if one.rules.engine)
    space = SpaceLatency(Cells(), vpu, input_shape=SHAPE)
    space_checks.check_equals_full_traces(space, fixed(Cells), vpu, 60, 0)
    assert space._memo.factors is not None
    assert space._memo.factors.usable


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("merge_op", ["all", "loose_end"])
def test_cells_equal_full_traces(merge_op: str, nested: bool, cpu: LatencyPredictor) -> None:
    space = SpaceLatency(NniCells(merge_op, nested), cpu, input_shape=SHAPE)
    space_checks.check_equals_full_traces(space, fixed(NniCells, merge_op, nested), cpu, 12, 0)
    assert "op_1_0" in repr(space.latency_table())


def test_choices_of_several_inputs(cpu: LatencyPredictor) -> None:
    space = SpaceLatency(Inputs(), cpu, input_shape=SHAPE)
    assert space.choices["any"] == [[0], [1], [0, 1], []]
    assert space.choices["two"] == [[one, other] for one in range(3) for other in range(3)]
    for sample in ({"any": [0, 1], "two": [0, 2]}, {"any": 1, "two": [1, 1]}, {"any": [0], "two": (0, 0)}):
        listed = {label: list(one) if isinstance(one, tuple) else one for label, one in sample.items()}
        expected = cpu.predict(fixed(Inputs)(listed), "torch", input_shape=SHAPE)
        assert space.latency(sample) == pytest.approx(expected, rel=1e-9)
    space_checks.check_no_input_is_no_reference(space)


def test_a_hopeless_search_ends_early(cpu: LatencyPredictor) -> None:
    space = MutatorSpace(*extract_mutation_from_pt_module(Kernels()))
    space_checks.check_a_hopeless_search_ends_early(space, cpu)


def test_what_the_constructor_makes_of_a_choice_is_seen(cpu: LatencyPredictor) -> None:
    space = SpaceLatency(Peeking(), cpu, input_shape=SHAPE)
    assert space._memo.choices is None
    space_checks.check_equals_full_traces(space, fixed(Peeking), cpu, 9, 0)
    # The same by candidates of a search, which are seen one at a time.
    drawn = MutatorSpace(*extract_mutation_from_pt_module(Peeking()))
    latency = CandidateLatency([cpu], input_shape=SHAPE)
    rng = Random(0)
    for _ in range(12):
        candidate = drawn.model(drawn.random(rng))
        expected = cpu.predict(candidate_to_graph(candidate, SHAPE))
        assert latency(candidate)[cpu.name] == pytest.approx(expected, rel=1e-9)


def test_bounds_and_table(cpu: LatencyPredictor) -> None:
    space = SpaceLatency(Mixed(), cpu, input_shape=SHAPE)
    space_checks.check_bounds(space)
    space_checks.check_table(space)


def test_bounds_without_factors(cpu: LatencyPredictor) -> None:
    space = SpaceLatency(Widths(), cpu, input_shape=SHAPE)
    assert space._memo.factors is None
    space_checks.check_bounds(space)


def test_the_graph_of_a_sample(cpu: LatencyPredictor) -> None:
    space = SpaceLatency(Mixed(), cpu, input_shape=SHAPE)
    sample = {"first": "1", "second": "block", "act": "2"}
    assert content(space.graph(sample)) == content(candidate_to_graph(fixed(Mixed)(sample), SHAPE))


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"first": "1", "second": "block"}, "'act': got 'nothing'"),
        ({"first": "1", "second": "block", "act": "9"}, "got '9', expected one of"),
        ({"first": "1", "second": "block", "act": "0", "more": "1"}, "'more'"),
    ],
)
def test_samples_that_do_not_fit_are_refused(cpu: LatencyPredictor, sample: Any, message: str) -> None:
    with pytest.raises(PredictorError, match=message):
        SpaceLatency(Mixed(), cpu, input_shape=SHAPE).latency(sample)


def test_what_is_no_space_is_refused(cpu: LatencyPredictor) -> None:
    with pytest.raises(PredictorError, match="expected a module"):
        SpaceLatency("a string", cpu)
    with pytest.raises(PredictorError, match=r"expected a module under .*, but got the class Inputs"):
        SpaceLatency(Inputs, cpu)
    with pytest.raises(PredictorError, match=r"expected a module under .*, but got ReLU"):
        SpaceLatency(nn.ReLU(), cpu)


def test_the_space_of_the_caller_is_not_changed(cpu: LatencyPredictor) -> None:
    net = Mixed()
    before = [name for name, _ in net.named_modules()], {k: v.clone() for k, v in net.state_dict().items()}
    SpaceLatency(net, cpu, input_shape=SHAPE).sample_latencies(20, seed=0)
    assert [name for name, _ in net.named_modules()] == before[0]
    assert all(bool((value == before[1][key]).all()) for key, value in net.state_dict().items())


def test_most_candidates_of_a_long_search_need_no_trace(cpu: LatencyPredictor) -> None:
    space = MutatorSpace(*extract_mutation_from_pt_module(Kernels()))
    latency = CandidateLatency([cpu], input_shape=SHAPE)
    rng = Random(0)
    for _ in range(200):
        latency(space.model(space.random(rng)))
    assert only_space(latency).traced < 60
    assert latency.known > 100


def test_factors_serve_the_graph_engine_too(cpu: LatencyPredictor) -> None:
    space = MutatorSpace(*preprocess_model(Mixed(), None, [], full_ir=True, dummy_input=SHAPE))
    latency = CandidateLatency([cpu])
    rng = Random(0)
    for _ in range(40):
        candidate = space.model(space.random(rng))
        expected = cpu.predict(candidate_to_graph(candidate))
        assert latency(candidate)[cpu.name] == pytest.approx(expected, rel=1e-9)
    assert only_space(latency).factors.usable
    assert latency.known > 5
