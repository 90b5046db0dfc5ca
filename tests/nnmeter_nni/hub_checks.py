"""What is asked of NNI's own spaces."""

from __future__ import annotations

from random import Random
from typing import Any

from nnmeter_nni import CandidateLatency

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


def check_five_random_candidates(space: Any, size: int) -> None:
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
