"""Environments of one runtime learn from each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predictor_core import load_latency_predictor
from predictor_core.errors import LearningError
from predictor_core.ir.graph import Graph
from predictor_core.learning.adapt import Prior, pose
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.joint import learn_environments
from predictor_core.learning.leaveout import JointFit

from .conftest import DEVICE, device_ms


def columns(graphs: dict[str, Graph]) -> dict[str, np.ndarray]:
    base = np.array([device_ms(graph) for graph in graphs.values()])
    return {"slow": 2.0 * base, "fast": 0.5 * base, "middle": base}


def test_a_hidden_environment_gains_from_the_others(corpus: Corpus, zoo_graphs: dict[str, Graph]) -> None:
    source = load_latency_predictor(DEVICE)
    problem = pose(Prior.of(source), corpus.cut(source.rules))
    known = columns(zoo_graphs)
    hidden = 3.0 * known["middle"]
    few = np.array([0, 7, 13, 21])
    shared = replace(problem, prior=JointFit(problem, known).prior)
    errors = [
        np.abs(np.log(one.predict(one.fit(hidden, few).mean) / hidden)).mean() for one in (problem, shared)
    ]
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 0.03


def test_each_environment_gets_a_header_over_one_design(corpus: Corpus, zoo_graphs: dict[str, Graph]) -> None:
    known = columns(zoo_graphs)
    known["slow"][3] = np.nan
    found = learn_environments(corpus, known, names={one: f"phone_{one}" for one in known}, like=DEVICE)
    assert {environment: one.name for environment, one in found.items()} == {
        one: f"phone_{one}" for one in known
    }
    graph = zoo_graphs["resnet_224"]
    assert found["slow"].predict(graph) == pytest.approx(4.0 * found["fast"].predict(graph), rel=0.1)
    assert found["slow"].device_header.facts["models"] == 23
    assert found["slow"].device_header.centers == found["fast"].device_header.centers
    assert found["fast"].accuracy["cross_validated"]["within_10"] >= 90.0


def test_an_environment_with_too_few_models(corpus: Corpus, zoo_graphs: dict[str, Graph]) -> None:
    known = columns(zoo_graphs)
    known["fast"][2:] = np.nan
    with pytest.raises(LearningError, match="2 models were measured on fast"):
        learn_environments(corpus, known, names={one: one for one in known}, like=DEVICE)
