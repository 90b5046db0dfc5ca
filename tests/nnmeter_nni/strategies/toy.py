"""A small space of plain modules, trained by a formula, for the tests of the strategies."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import Any

from torch import nn

from predictor_core import LatencyPredictor
from tests.nnmeter_nni.plain import SHAPE, chain

CPU = "cortexA76cpu_tflite21"
WIDTHS = (4, 8, 16, 24, 32)


class Widths:
    """Three convs, each of one of five widths; widths that fall by more than half are not valid."""

    def random(self, rng: Random) -> Any:
        return tuple(rng.choice(WIDTHS) for _ in range(3))

    def mutate(self, sample: Any, probability: float, rng: Random) -> Any:
        return tuple(rng.choice(WIDTHS) if rng.random() < probability else width for width in sample)

    def key(self, sample: Any) -> Hashable:
        return sample

    def model(self, sample: Any) -> nn.Module | None:
        if any(2 * after < before for before, after in zip(sample, sample[1:])):
            return None
        model = chain(*sample)
        model.sample = sample
        return model


class Budget:
    """Takes a number of candidates; their metric is the sum of the widths, known at the next look."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.submitted: list[Any] = []
        self.finished = False

    def ready(self) -> bool:
        return len(self.submitted) < self.size

    def submit(self, model: Any) -> None:
        assert not self.finished
        self.submitted.append(model)

    def metric(self, model: Any) -> tuple[bool, float | None]:
        return True, float(sum(model.sample)) if model.sample[0] != 4 else None

    def finish(self, submitted: int) -> None:
        assert submitted == len(self.submitted)
        self.finished = True

    def wait(self, models: list[Any]) -> None:
        assert all(model in self.submitted for model in models)


def latency(cpu: LatencyPredictor, model: Any) -> float:
    return cpu.predict(model, "torch", input_shape=SHAPE)


def middle(cpu: LatencyPredictor) -> float:
    """Latency of a candidate of the middle."""
    return cpu.predict(chain(16, 16, 16), "torch", input_shape=SHAPE)
