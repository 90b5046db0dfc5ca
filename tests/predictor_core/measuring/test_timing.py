"""The clock, with calls whose durations are made up."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from predictor_core.measuring.timing import time_call


class Machine:
    """A clock that a call moves on by durations of its own."""

    def __init__(self, durations: Iterator[float]) -> None:
        self.now = 0.0
        self.calls = 0
        self._durations = durations

    def __call__(self) -> float:
        return self.now

    def call(self) -> None:
        self.calls += 1
        self.now += next(self._durations)


def machine(duration: Callable[[int], float]) -> Machine:
    def durations() -> Iterator[float]:
        number = 0
        while True:
            yield duration(number)
            number += 1

    return Machine(durations())


def test_a_steady_call_ends_early() -> None:
    clock = machine(lambda i: 0.010)
    timing = time_call(clock.call, 100.0, clock)
    assert timing.median_ms == pytest.approx(10.0)
    assert timing.std_ms == pytest.approx(0.0, abs=1e-9)
    assert timing.warnings == ()
    assert clock.now < 60.0


def test_the_warm_up_is_not_counted() -> None:
    clock = machine(lambda i: 0.010 + 0.190 * 0.6**i)
    timing = time_call(clock.call, 20.0, clock)
    assert timing.warm_up >= 9
    assert max(timing.seconds) < 0.0115
    assert timing.warm_up + len(timing.seconds) == clock.calls


def test_the_budget_holds() -> None:
    random = np.random.default_rng(0)
    clock = machine(lambda i: float(0.02 * np.exp(0.5 * random.standard_normal())))
    time_call(clock.call, 5.0, clock)
    assert clock.now < 5.5


def test_a_call_that_is_slower_than_the_budget_runs_a_few_times() -> None:
    clock = machine(lambda i: 30.0)
    timing = time_call(clock.call, 1.0, clock)
    assert len(timing.seconds) == 3
    assert timing.median_ms == pytest.approx(30_000.0)


def test_a_noisy_machine_is_told() -> None:
    levels = [1.0, 1.3, 0.9, 1.2, 1.0]
    clock = machine(lambda i: 0.01 * levels[(i // 40) % 5])
    (warning,) = time_call(clock.call, 4.0, clock).warnings
    assert "the machine is noisy" in warning


def test_throttling_is_told() -> None:
    clock = machine(lambda i: 0.01 * (1.0 + 0.001 * i))
    (warning,) = time_call(clock.call, 4.0, clock).warnings
    assert "throttling" in warning


def test_outliers_do_not_move_the_median() -> None:
    clock = machine(lambda i: 0.010 if i % 7 else 0.050)
    timing = time_call(clock.call, 10.0, clock)
    assert timing.median_ms == pytest.approx(10.0)
    assert timing.std_ms > 5.0


def test_the_garbage_collector_is_off_and_on_again() -> None:
    seen = []
    clock = machine(lambda i: 0.01)

    def call() -> None:
        seen.append(gc.isenabled())
        clock.call()

    time_call(call, 1.0, clock)
    assert not any(seen)
    assert gc.isenabled()
