"""LatencyEvolution: evolution under a latency constraint, or of accuracy against latency."""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from nnmeter_nni.errors import ArgumentError
from nnmeter_nni.filter import LatencyFilter
from nnmeter_nni.limits import number, positive
from nnmeter_nni.strategies.base import Engine, LatencyStrategy, Space, first_latency, new_model
from nnmeter_nni.strategies.pareto import fronts, ranking

_logger = logging.getLogger(__name__)


@dataclass
class Individual:
    """A trained candidate.

    Parameters
    ----------
    sample : dict
        Label -> choice.
    metric : float
        Larger is better; finite.
    latency_ms : float
        On the first device of the filter.
    genes : object
        The sample as the space draws it.
    """

    sample: dict[str, Any]
    metric: float
    latency_ms: float
    genes: Any = field(repr=False, compare=False)


class _Running(NamedTuple):
    genes: Any
    labels: dict[str, Any]
    model: Any
    latency_ms: float


class LatencyEvolution(LatencyStrategy):
    """Evolution whose candidates all pass the filter.

    A strategy of the NNI that is installed: give it to ``RetiariiExperiment`` (2.10) or ``NasExperiment``
    (3.0). A candidate whose training fails, or whose metric is not a finite number, is left out.

    Parameters
    ----------
    latency_filter : LatencyFilter
        What must pass; its (first) predictor is the second objective of ``"pareto"``.
    objective : {"accuracy", "pareto"}
        ``"accuracy"``: aging evolution (Real et al., 2019) of the metric under the latency constraint.
        ``"pareto"``: the metric against the latency, by non-dominated sorting (Deb et al., NSGA-II, 2002).
    population_size, sample_size : int
        Individuals kept, and those that compete to be a parent.
    mutation_prob : float
        Probability of each choice to be redrawn.
    patience : int
        Draws without a candidate that passes, after which the search stops.
    seed : int, optional
        Seed of the draws.

    Attributes
    ----------
    history : list of Individual
        All trained candidates.
    population : list of Individual
        Those kept.

    Raises
    ------
    ArgumentError
        When an argument can't be used.
    MissingDependencyError
        When NNI or torch is not installed.

    Examples
    --------
    ::

        strategy = LatencyEvolution(LatencyFilter(100, "cortexA76cpu_tflite21"), objective="pareto")
        with run_experiment(RetiariiExperiment(space, evaluator, [], strategy), retiarii_config()):
            print(strategy.front)
    """

    def __init__(
        self,
        latency_filter: LatencyFilter,
        *,
        objective: Literal["accuracy", "pareto"] = "accuracy",
        population_size: int = 20,
        sample_size: int = 5,
        mutation_prob: float = 0.1,
        patience: int = 1000,
        seed: int | None = None,
    ) -> None:
        super().__init__(latency_filter, seed=seed)
        if objective not in ("accuracy", "pareto"):
            raise ArgumentError(f"objective must be 'accuracy' or 'pareto', but got {objective!r}")
        if not 0.0 < number("mutation_prob", mutation_prob) <= 1.0:
            raise ArgumentError(f"mutation_prob must be above 0 and at most 1, but got {mutation_prob}")
        self.objective = objective
        self.population_size = positive("population_size", population_size)
        self.sample_size = positive("sample_size", sample_size)
        if self.sample_size > self.population_size:
            raise ArgumentError(f"sample_size must be between 1 and population_size, but got {sample_size}")
        self.mutation_prob = mutation_prob
        self.patience = positive("patience", patience)
        self.history: list[Individual] = []
        self.population: list[Individual] = []

    @property
    def front(self) -> list[Individual]:
        """Trained candidates that no other beats in both metric and latency, fastest first."""
        found = fronts([_objectives(one) for one in self.history])
        best = [self.history[i] for i in found[0]] if found else []
        return sorted(best, key=lambda one: one.latency_ms)

    def search(self, space: Space, engine: Engine) -> None:
        """Fill the population at random, then mutate the better ones, until the budget is spent."""
        running: list[_Running] = []
        seen: set[Hashable] = set()
        submitted = 0
        while engine.ready():
            self._collect(engine, running)
            found = self._next(space, seen, fill=submitted < self.population_size or not self.population)
            if found is None:
                break
            engine.submit(found.model)
            submitted += 1
            running.append(found)
        self.conclude(engine, submitted)
        engine.wait([entry.model for entry in running])
        self._collect(engine, running)

    def _next(self, space: Space, seen: set[Hashable], fill: bool) -> _Running | None:
        for _ in range(self.patience):
            if fill:
                sample = space.random(self.rng)
            else:
                sample = space.mutate(self._parent().genes, self.mutation_prob, self.rng)
            model = new_model(space, sample, seen)
            if model is None:
                continue
            passed, latencies = self.latency_filter.check(model)
            if passed:
                labels = dict(self.latency_filter.latency.last_sample)
                return _Running(sample, labels, model, first_latency(latencies))
        _logger.warning("no new candidate passed the latency filter in %d draws", self.patience)
        return None

    def _parent(self) -> Individual:
        rivals = self.rng.sample(self.population, min(self.sample_size, len(self.population)))
        if self.objective == "accuracy":
            return max(rivals, key=lambda one: one.metric)
        ranks = ranking([_objectives(one) for one in rivals])
        return rivals[min(range(len(rivals)), key=ranks.__getitem__)]

    def _collect(self, engine: Engine, running: list[_Running]) -> None:
        for entry in list(running):
            finished, metric = engine.metric(entry.model)
            if not finished:
                continue
            running.remove(entry)
            if metric is None or not math.isfinite(metric):
                _logger.warning("the candidate %s has no finite metric: %s", entry.labels, metric)
                continue
            one = Individual(entry.labels, metric, entry.latency_ms, entry.genes)
            self.history.append(one)
            self.population.append(one)
        while len(self.population) > self.population_size:
            if self.objective == "accuracy":
                self.population.pop(0)
            else:
                ranks = ranking([_objectives(one) for one in self.population])
                self.population.pop(max(range(len(ranks)), key=ranks.__getitem__))


def _objectives(one: Individual) -> tuple[float, float]:
    return -one.metric, one.latency_ms
