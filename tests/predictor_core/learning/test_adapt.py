"""Setting up a fit: centers, names, priors."""

from __future__ import annotations

import numpy as np
import pytest

from predictor_core import kernels, load_latency_predictor
from predictor_core.kernels.coordinates import coordinates, group
from predictor_core.kernels.traits import TRAITS
from predictor_core.learning.adapt import Prior, Problem, pose
from predictor_core.learning.centers import place_centers
from predictor_core.learning.corpus import Corpus, family_of
from predictor_core.predictor.design import Design, covariance

CPU = "cortexA76cpu_tflite21"


def test_centers_lie_among_the_kernels_and_far_from_each_other(corpus: Corpus) -> None:
    cut = corpus.cut(load_latency_predictor(CPU).rules)
    placed = place_centers(cut.specs, {}, {"conv": 20})["conv"]
    assert len(placed) == 20
    points = np.round(coordinates([spec for spec in cut.specs if group(spec) == "conv"]), 3).tolist()
    assert all(list(center) in points for center in placed)
    distance = covariance(np.array(placed), np.array(placed))
    assert (distance - np.eye(20)).max() < np.exp(-0.5 * 0.3**2)


def test_more_centers_leave_the_features_of_the_first(corpus: Corpus) -> None:
    source = load_latency_predictor(CPU)
    specs = corpus.cut(source.rules).specs
    few = place_centers(specs, {}, {"conv": 10})
    many = place_centers(specs, few, {"conv": 30})
    assert many["conv"][:10] == few["conv"]
    rows = []
    for centers in (few, many):
        names = [f"near:conv/{i}" for i in range(len(centers["conv"]))]
        rows.append(Design([source], {"launch": 1.0, "byte": 1.0, "mac": 1.0}, centers, names).rows(specs))
    assert rows[1].values[0][:, :10] == pytest.approx(rows[0].values[0], abs=1e-9)


def test_the_problem_predicts_the_source_times_a_factor_before_any_fit(corpus: Corpus) -> None:
    source = load_latency_predictor(CPU)
    problem = pose(Prior.of(source), corpus.cut(source.rules))
    at = np.zeros(len(problem.names))
    said = source.kernel_latencies(problem.specs)
    kernels_ms = np.array([said[spec].latency_ms for spec in problem.specs])
    assert (problem.kernels_ms(at) >= kernels_ms).all()
    at[1:] = -30.0 * np.array([name.startswith(("launch", "byte", "mac")) for name in problem.names[1:]])
    assert problem.kernels_ms(at) == pytest.approx(kernels_ms, rel=1e-6)


def test_a_trait_multiplies_kernels_of_all_types(problem: Problem) -> None:
    at = np.zeros(len(problem.names))
    before = problem.kernels_ms(at)
    at[problem.names.index("padded:")] = 1.0
    values = [TRAITS["padded"](spec, kernels.cost(spec)) for spec in problem.specs]
    own_ms = problem.terms[0].base_ms
    assert problem.kernels_ms(at) - before == pytest.approx(own_ms * (np.exp(values) - 1.0))
    assert {spec.op for spec, value in zip(problem.specs, values) if value} >= {"conv", "dwconv", "fc"}


@pytest.mark.parametrize("op", ["fc", "se"])
def test_an_op_that_is_far_dearer_than_on_the_source_does_not_make_others_dearer(
    problem: Problem, op: str
) -> None:
    own = np.array([spec.op == op for spec in problem.specs])
    at = np.zeros(len(problem.names))
    at[problem.names.index(f"sort:{op}")] = 1.5
    found = problem.fit(problem.predict(at)).mean
    off = np.log(problem.kernels_ms(found) / problem.kernels_ms(at))
    assert np.abs(np.median(off[own])) < 0.1
    assert np.median(np.abs(off[~own])) < 0.05


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("models/resnet18.onnx", "resnet"),
        ("mobilenetv2_w1", "mobilenetvc"),
        ("mobilenetv3_large_w1", "mobilenetvd"),
        ("regnetx002", "regnetx"),
        ("123", "123"),
    ],
)
def test_family_by_name(name: str, family: str) -> None:
    assert family_of(name) == family


def test_what_was_fitted_predicts_other_models(problem: Problem, corpus: Corpus) -> None:
    at = np.random.default_rng(0).normal(0.0, 0.3, len(problem.names))
    some = np.array([4, 0, 7])
    others = problem.with_models(corpus.only(some).cut(problem.prior.sources[0].rules))
    assert others.names == problem.names
    assert others.predict(at) == pytest.approx(problem.predict(at, some))
