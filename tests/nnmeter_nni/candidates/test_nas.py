"""Candidates of NNI 3.0."""

from __future__ import annotations

import io
from typing import Any

import onnx
import pytest
import torch
from nni.nas.space import RawFormatModelSpace, SimplifiedModelSpace, model_context
from nni.nas.space.pytorch import PytorchGraphModelSpace

from nnmeter_nni import candidate_to_graph
from nnmeter_nni.candidates import describe
from predictor_core import LatencyPredictor
from predictor_core.errors import ModelFormatError
from tests.nnmeter_nni.space_checks import content
from tests.nnmeter_nni.spaces3 import Mixed, Widths

SHAPE = (1, 3, 32, 32)
SAMPLES: list[dict[str, Any]] = [
    {"first": 0, "second": "pool", "act": 0},
    {"first": 1, "second": "block", "act": 1},
    {"first": 2, "second": "block", "act": 2},
]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_all_formats_the_module_and_its_onnx_agree(
    sample: dict[str, Any], devices: list[LatencyPredictor]
) -> None:
    with model_context(sample):
        module = Mixed()
    plain = candidate_to_graph(module, SHAPE)
    for kind in (RawFormatModelSpace, SimplifiedModelSpace):
        candidate = kind.from_model(Mixed(), None).freeze(sample)
        assert content(candidate_to_graph(candidate, SHAPE)) == content(plain)
    space = PytorchGraphModelSpace.from_model(Mixed(), None, SHAPE)
    names = {"first": f"layerchoice_first_{sample['first']}", "act": f"layerchoice_act_{sample['act']}"}
    space.simplify()
    frozen = space.freeze({**names, "second": f"layerchoice_second_{sample['second']}"})
    assert content(candidate_to_graph(frozen)) == content(plain)
    file = io.BytesIO()
    torch.onnx.export(module.eval(), torch.rand(SHAPE), file, dynamo=False)
    for predictor in devices:
        expected = predictor.predict(plain)
        found = predictor.predict(onnx.load_from_string(file.getvalue()), "onnx")
        assert found == pytest.approx(expected, rel=0.01)


def test_values_and_repeats() -> None:
    sample = {"width": 16, "depth": 3, "tail": 0}
    with model_context(sample):
        plain = candidate_to_graph(Widths(), SHAPE)
    for kind in (RawFormatModelSpace, SimplifiedModelSpace):
        candidate = kind.from_model(Widths(), None).freeze(sample)
        assert content(candidate_to_graph(candidate, SHAPE)) == content(plain)


def test_no_weights_and_no_random_numbers() -> None:
    candidate = SimplifiedModelSpace.from_model(Mixed(), None).freeze(SAMPLES[0])
    before = torch.random.get_rng_state()
    assert all(parameter.is_meta for parameter in describe(candidate).build().parameters())
    candidate_to_graph(candidate, SHAPE)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("kind", [RawFormatModelSpace, SimplifiedModelSpace])
def test_a_space_is_refused(kind: Any) -> None:
    with pytest.raises(ModelFormatError, match="model space of 3 choices"):
        candidate_to_graph(kind.from_model(Mixed(), None), SHAPE)


def test_the_module_of_a_space_is_refused_and_a_frozen_one_is_not() -> None:
    with pytest.raises(ModelFormatError, match=r"model space of 3 choices, .* nnmeter_nni.SpaceLatency"):
        candidate_to_graph(Mixed(), SHAPE)
    candidate_to_graph(Mixed().freeze(SAMPLES[0]), SHAPE)
