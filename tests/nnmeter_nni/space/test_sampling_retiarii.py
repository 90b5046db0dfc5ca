"""Samples of model spaces under NNI 2.10."""

from __future__ import annotations

from random import Random

import pytest

from nnmeter_nni._nni import installed_major

if installed_major() != 2:
    pytest.skip("needs NNI 2", allow_module_level=True)

from nnmeter_nni.space.sampling import sampler
from tests.nnmeter_nni.space_checks import SHAPE
from tests.nnmeter_nni.spaces2 import Mixed


def test_a_space_or_its_class_is_sampled() -> None:
    for space in (Mixed, Mixed()):
        sample = sampler(space, SHAPE)
        assert sample is not None
        graphs = [sample(Random(seed)) for seed in range(6)]
        assert len({str(graph.nodes) for graph in graphs}) > 1
        assert str(sample(Random(0)).nodes) == str(graphs[0].nodes)


def test_what_is_no_space_is_left_alone() -> None:
    assert sampler(len, SHAPE) is None
    assert sampler(3, SHAPE) is None
