"""What is asked of NNI's own spaces."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from nnmeter_nni import CandidateLatency, SpaceLatency
from predictor_core import PredictorError, load_latency_predictor

#: Space -> size of its images.
SIZES = {
    "MobileNetV3Space": 224,
    "ShuffleNetSpace": 224,
    "ProxylessNAS": 224,
    "NasBench101": 32,
    "NasBench201": 32,
    "ENAS": 32,
    "DARTS": 32,
    "NASNet": 32,
    "AmoebaNet": 32,
    "PNAS": 32,
}


#: The spaces of cells, whose width and depth can be fixed so that only their cells are searched.
CELLS = ("AmoebaNet", "DARTS", "ENAS", "NASNet", "PNAS")
#: Those that are traced in full depth on one line of NNI only, a minute each; small ones are on both.
DEEP = {2: ("AmoebaNet",), 3: ("ENAS", "NASNet", "PNAS")}
FIXED = {"width": 16, "num_cells": 3, "dataset": "cifar"}
#: Spaces whose candidates are traced within a second or two.
QUICK = (*(f"{name}-fixed" for name in CELLS), *(name for name in SIZES if name not in CELLS))


def check_space_latency(make: Any, build: Any, size: int, draws: int) -> None:
    """Random samples have the latency of the candidate that NNI builds of them.

    Parameters
    ----------
    make : callable
        Makes the space.
    build : callable
        Makes the candidate of a sample.
    size : int
        Of the images.
    draws : int
        Samples compared.
    """
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    space = SpaceLatency(make(), predictor, input_shape=(1, 3, size, size))
    rng = Random(0)
    compared = 0
    for _ in range(50 * draws):
        sample = space.sample(rng)
        try:
            found = space.latency(sample)
        except PredictorError as error:
            # Samples of NasBench101 may be no graph at all. Anything else is a fault.
            if "constraint" in str(error) or "can't be built" in str(error):
                continue
            raise
        expected = predictor.predict(build(sample), "torch", input_shape=space.input_shape)
        assert found == pytest.approx(expected, rel=1e-9), sample
        compared += 1
        if compared == draws:
            return
    raise AssertionError(f"only {compared} samples of {draws} are candidates")


def check_random_candidates(space: Any, size: int) -> None:
    """Five valid random candidates have latencies on a CPU and a VPU, and not all the same."""
    latency = CandidateLatency(
        ["cortexA76cpu_tflite21", "myriadvpu_openvino2019r2"], input_shape=(1, 3, size, size)
    )
    rng = Random(0)
    found = []
    while len(found) < 5:
        model = space.model(space.random(rng))
        if model is not None:
            found.append(latency(model))
    for name in latency.predictors:
        values = [one[name] for one in found]
        assert all(0.01 < value < 10_000 for value in values)
        assert len({round(value, 6) for value in values}) > 1
