"""The processor's pace, with a loop whose durations are made up."""

from __future__ import annotations

import random

import pytest

from predictor_core.measuring.pace import Pace
from predictor_core.measuring.timing import time_call


class Processor:
    """A clock, a loop on it and calls: all slower by a factor that depends on the time."""

    def __init__(self, slowness: float, when: tuple[float, float]) -> None:
        self.now = 0.0
        self._slowness = slowness
        self._when = when
        self._random = random.Random(0)

    def clock(self) -> float:
        return self.now

    def loop(self) -> float:
        return self._work(0.0005)

    def call(self) -> None:
        self._work(0.004)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self) -> Pace:
        return Pace(self.loop, self.sleep)

    def known_pace(self, until: float) -> Pace:
        """A pace that has looked at the processor for some time."""
        pace = self.pace()
        while self.now < until:
            pace.is_full()
        return pace

    def _work(self, seconds: float) -> float:
        first, last = self._when
        seconds *= self._slowness if first <= self.now < last else 1.0
        seconds *= 1.0 + 0.02 * self._random.random()
        self.now += seconds
        return seconds


def test_runs_of_a_slowed_processor_are_left_out() -> None:
    processor = Processor(1.8, (0.5, 1.5))
    timing = time_call(processor.call, 3.0, processor.clock, processor.pace())
    assert timing.median_ms == pytest.approx(4.04, rel=0.01)
    assert max(timing.seconds) < 0.0041
    assert timing.warnings == ()


def test_without_a_pace_they_count() -> None:
    processor = Processor(1.8, (0.1, 0.9))
    timing = time_call(processor.call, 1.0, processor.clock)
    assert timing.median_ms > 6.0


def test_it_waits_for_full_speed_beside_the_budget() -> None:
    processor = Processor(1.8, (0.2, 4.0))
    pace = processor.known_pace(0.2)
    timing = time_call(processor.call, 0.5, processor.clock, pace, wait_s=10.0)
    assert processor.now > 4.0
    assert max(timing.seconds) < 0.0041
    assert not timing.slowed


def test_it_waits_no_longer_than_it_may_and_says_so() -> None:
    processor = Processor(1.8, (0.2, 100.0))
    pace = processor.known_pace(0.2)
    timing = time_call(processor.call, 0.5, processor.clock, pace, wait_s=1.0)
    assert processor.now < 2.5
    assert timing.slowed
    assert timing.median_ms > 6.0
    (warning,) = timing.warnings
    assert "other work slowed the processor" in warning


def test_a_minute_of_slowness_does_not_become_the_measure() -> None:
    processor = Processor(1.8, (0.2, 1e9))
    pace = processor.known_pace(0.2)
    assert not any(pace.is_full() for _ in range(20_000))


def test_a_processor_that_is_slow_for_good_becomes_the_measure() -> None:
    processor = Processor(1.8, (0.2, 1e9))
    pace = processor.pace()
    assert any(pace.is_full() for _ in range(70_000))
