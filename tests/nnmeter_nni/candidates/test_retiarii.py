"""Candidates of NNI 2.10."""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from nni.nas.experiment.pytorch import preprocess_model
from nni.nas.nn.pytorch.mutator import extract_mutation_from_pt_module
from nni.retiarii import fixed_arch

from nnmeter_nni import CandidateLatency, LatencyFilter, candidate_to_graph
from nnmeter_nni.candidates import describe
from nnmeter_nni.strategies.retiarii import MutatorSpace
from predictor_core import LatencyPredictor
from predictor_core.errors import ModelFormatError
from predictor_core.ir.graph import Graph
from tests.nnmeter_nni.spaces2 import Mixed, Widths

SHAPE = (1, 3, 32, 32)


def python_space(space: Any) -> MutatorSpace:
    return MutatorSpace(*extract_mutation_from_pt_module(space))


def graph_space(space: Any, dummy_input: Any = SHAPE) -> MutatorSpace:
    return MutatorSpace(*preprocess_model(space, None, [], full_ir=True, dummy_input=dummy_input))


def sampled(space: MutatorSpace, labels: dict[str, str]) -> Any:
    """Return the candidate with the given choices; the graph engine prefixes their names."""
    sample = {}
    for (mutator, index), values in space.choices.items():
        (sample[mutator, index],) = [
            value for value in values if str(value).endswith(f"_{labels[mutator.label]}")
        ] or [labels[mutator.label]]
    return space.model(sample)


def content(graph: Graph) -> list[Any]:
    return [(node.op, dict(node.attrs), node.outputs) for node in graph.nodes]


ARCHITECTURES = [
    {"first": first, "second": second, "act": act}
    for first, second, act in [
        ("0", "pool", "0"),
        ("1", "block", "1"),
        ("2", "block", "2"),
        ("2", "pool", "1"),
    ]
]


@pytest.fixture(scope="module")
def graph_engine() -> MutatorSpace:
    return graph_space(Mixed())


@pytest.mark.parametrize("labels", ARCHITECTURES, ids=str)
def test_both_engines_the_module_and_its_onnx_agree(
    labels: dict[str, str], graph_engine: MutatorSpace, devices: list[LatencyPredictor]
) -> None:
    with fixed_arch(labels, verbose=False):
        module = Mixed()
    plain = candidate_to_graph(module, SHAPE)
    assert content(candidate_to_graph(sampled(python_space(Mixed()), labels), SHAPE)) == content(plain)
    # The graph engine records the dummy input, so it needs no shape.
    assert content(candidate_to_graph(sampled(graph_engine, labels))) == content(plain)
    file = io.BytesIO()
    torch.onnx.export(module.eval(), torch.rand(SHAPE), file, dynamo=False)
    import onnx

    model = onnx.load_from_string(file.getvalue())
    for predictor in devices:
        expected = predictor.predict(plain)
        assert predictor.predict(model, "onnx") == pytest.approx(expected, rel=0.01)
        assert predictor.predict(module, "torch", input_shape=SHAPE) == pytest.approx(expected, rel=1e-9)


def test_the_graph_engine_needs_no_traced_shapes() -> None:
    labels = ARCHITECTURES[1]
    candidate = sampled(graph_space(Mixed(), None), labels)
    assert describe(candidate).input_shape is None
    with fixed_arch(labels, verbose=False):
        plain = candidate_to_graph(Mixed(), SHAPE)
    assert content(candidate_to_graph(candidate, SHAPE)) == content(plain)


def test_a_dumped_model_is_a_candidate(graph_engine: MutatorSpace) -> None:
    candidate = sampled(graph_engine, ARCHITECTURES[2])
    assert content(candidate_to_graph(candidate._dump())) == content(candidate_to_graph(candidate))


def test_value_choices_input_choices_and_repeats(cpu: LatencyPredictor) -> None:
    space = python_space(Widths())
    latency = CandidateLatency([cpu], input_shape=SHAPE)
    rng = random.Random(0)
    for _ in range(6):
        candidate = space.model(space.random(rng))
        with fixed_arch(describe(candidate).sample, verbose=False):
            expected = cpu.predict(Widths(), "torch", input_shape=SHAPE)
        assert latency(candidate) == {cpu.name: pytest.approx(expected, rel=1e-12)}


def test_the_graph_engine_tells_depths_and_widths_apart(cpu: LatencyPredictor) -> None:
    space = graph_space(Widths())
    latency = CandidateLatency(cpu)
    samples = [dict(zip(space.choices, chosen)) for chosen in itertools.product(*space.choices.values())]
    assert len(samples) == 18
    for sample in samples:
        candidate = space.model(sample)
        by_label = {mutator.label: value for (mutator, _), value in sample.items()}
        assert describe(candidate).sample == by_label
        assert latency(candidate) == {cpu.name: cpu.predict(candidate_to_graph(candidate))}


@pytest.mark.parametrize("make", [python_space, graph_space])
def test_no_weights_and_no_random_numbers(make: Callable[[Any], MutatorSpace]) -> None:
    candidate = sampled(make(Mixed()), ARCHITECTURES[0])
    before = torch.random.get_rng_state(), random.getstate()
    record = describe(candidate)
    module = record.build()
    candidate_to_graph(candidate, SHAPE)
    assert all(parameter.is_meta for parameter in module.parameters())
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_a_space_is_refused(graph_engine: MutatorSpace) -> None:
    with pytest.raises(ModelFormatError, match="still has the choice"):
        candidate_to_graph(graph_engine.base_model, SHAPE)
    with pytest.raises(ModelFormatError, match=r"model space of 3 choices, .* nnmeter_nni.SpaceLatency"):
        candidate_to_graph(Widths(), SHAPE)
    with fixed_arch({"width": 8, "depth": 2, "pick": 1}, verbose=False):
        candidate_to_graph(Widths(), SHAPE)


def test_what_fails_is_told_with_its_sample() -> None:
    candidate = sampled(python_space(Mixed()), ARCHITECTURES[0])
    with pytest.raises(ModelFormatError, match=r"^the candidate \{'.*': .*\}: can't trace"):
        CandidateLatency("cortexA76cpu_tflite21", input_shape=(1, 5, 8, 8))(candidate)


def test_a_constructor_that_fails_is_named() -> None:
    candidate = sampled(python_space(Mixed()), ARCHITECTURES[0])
    candidate.python_init_params = {"channels": -1}
    with pytest.raises(ModelFormatError, match=r"can't be built: .*Error"):
        candidate_to_graph(candidate, SHAPE)


def test_known_candidates_cost_nothing_and_evaluator_choices_do_not_matter() -> None:
    space = python_space(Mixed())
    latency_filter = LatencyFilter(1e6, "cortexA76cpu_tflite21", input_shape=SHAPE)
    candidates = [sampled(space, labels) for labels in ARCHITECTURES]
    for _ in range(3):
        assert all(latency_filter(candidate) for candidate in candidates)
    assert latency_filter.stats.seen == 12
    assert latency_filter.stats.known >= 8
