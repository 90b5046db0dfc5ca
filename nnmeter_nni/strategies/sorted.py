"""LatencySorted: candidates in order of latency."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from nnmeter_nni.errors import ArgumentError
from nnmeter_nni.filter import LatencyFilter
from nnmeter_nni.limits import number, positive
from nnmeter_nni.strategies.base import Engine, LatencyStrategy, Space, first_latency


class LatencySorted(LatencyStrategy):
    """Sample a pool, predict all of it, and submit in order of latency, or of closeness to a target.

    A strategy of the NNI that is installed: give it to ``RetiariiExperiment`` (2.10) or ``NasExperiment``
    (3.0).

    Parameters
    ----------
    latency_filter : LatencyFilter
        Candidates that do not pass are left out; its (first) predictor gives the order.
    pool_size : int
        Candidates to sample.
    target_ms : float, optional
        Submit those nearest to this latency first. Default: the fastest first.
    seed : int, optional
        Seed of the draws.

    Raises
    ------
    ArgumentError
        When an argument can't be used.
    MissingDependencyError
        When NNI or torch is not installed.

    Examples
    --------
    ::

        strategy = LatencySorted(LatencyFilter(100, "cortexA76cpu_tflite21"), target_ms=80)
        experiment = RetiariiExperiment(space, evaluator, [], strategy)
    """

    def __init__(
        self,
        latency_filter: LatencyFilter,
        *,
        pool_size: int = 1000,
        target_ms: float | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(latency_filter, seed=seed)
        if target_ms is not None and not number("target_ms", target_ms) > 0:
            raise ArgumentError(f"target_ms must be a positive number of ms, but got {target_ms}")
        self.pool_size = positive("pool_size", pool_size)
        self.target_ms = target_ms

    def search(self, space: Space, engine: Engine) -> None:
        """Submit the pool in order, until the budget is spent."""
        submitted = 0
        for _, model in self._pool(space):
            if not engine.ready():
                break
            engine.submit(model)
            submitted += 1
        self.conclude(engine, submitted)

    def _pool(self, space: Space) -> list[tuple[float, Any]]:
        seen: set[Hashable] = set()
        pool = []
        for _ in range(self.pool_size):
            model = self.draw(space, seen)
            if model is None:
                break
            passed, latencies = self.latency_filter.check(model)
            if passed:
                latency_ms = first_latency(latencies)
                pool.append(
                    (latency_ms if self.target_ms is None else abs(latency_ms - self.target_ms), model)
                )
        pool.sort(key=lambda entry: entry[0])
        return pool
