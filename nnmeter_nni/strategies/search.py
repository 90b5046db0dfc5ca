"""The searches, written once for both majors of NNI: over a space to draw from and an engine to submit to."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple, Protocol

from nnmeter_nni.errors import NoCandidateError
from nnmeter_nni.filter import LatencyFilter
from nnmeter_nni.strategies.pareto import fronts, ranking

_logger = logging.getLogger(__name__)

#: Draws in a row that repeat known samples before a space counts as exhausted.
_REPEATS = 500


class Space(Protocol):
    """What a strategy draws from."""

    def random(self, rng: Random) -> Any:
        """Return a random sample."""

    def mutate(self, sample: Any, probability: float, rng: Random) -> Any:
        """Return a copy of a sample, each choice redrawn with a probability."""

    def key(self, sample: Any) -> Hashable:
        """Return what is equal for equal samples."""

    def model(self, sample: Any) -> Any | None:
        """Return the candidate, or None when the sample is not valid."""


class Engine(Protocol):
    """What a strategy submits to."""

    def ready(self) -> bool:
        """Wait until a candidate can be submitted; False when the budget is spent."""

    def submit(self, model: Any) -> None:
        """Have a candidate trained."""

    def metric(self, model: Any) -> tuple[bool, float | None]:
        """Return whether a submitted candidate is finished, and its metric."""

    def finish(self, submitted: int) -> None:
        """Tell that nothing will be submitted after the `submitted` candidates so far."""

    def wait(self, models: list[Any]) -> None:
        """Wait until submitted candidates are finished, or the engine gives them up."""


class _Search:
    """What the searches share: the filter and a seeded stream, of which a pickle keeps the seed alone.

    NNI 2.10 refuses to save strategies above 4 KB, and saves them only before they run.
    """

    def __init__(self, latency_filter: LatencyFilter, seed: int | None) -> None:
        if not isinstance(latency_filter, LatencyFilter):
            raise TypeError(
                "expected a LatencyFilter, e.g. LatencyFilter(100, 'cortexA76cpu_tflite21'), "
                f"but got {latency_filter!r}"
            )
        self.latency_filter = latency_filter
        self.seed = seed
        self.rng = Random(seed)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "rng"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.rng = Random(self.seed)


class RandomSearch(_Search):
    """Draw candidates until one passes the filter, and submit it; again until the budget is spent.

    Parameters
    ----------
    latency_filter : LatencyFilter
        What must pass.
    patience : int
        Draws without a candidate that passes, after which the search stops.
    dedup : bool
        Whether to leave out samples that were drawn before.
    seed : int, optional
        Seed of the draws.
    """

    def __init__(
        self,
        latency_filter: LatencyFilter,
        *,
        patience: int = 1000,
        dedup: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(latency_filter, seed)
        self.patience = _positive("patience", patience)
        self.dedup = dedup

    def search(self, space: Space, engine: Engine) -> None:
        """Run to the end of the budget, or of the patience."""
        submitted = 0
        for model in self._passing(space, engine):
            engine.submit(model)
            submitted += 1
        _conclude(engine, self.latency_filter, submitted)

    def _passing(self, space: Space, engine: Engine) -> Iterator[Any]:
        seen: set[Hashable] = set()
        misses = 0
        while engine.ready():
            model = draw(space, self.rng, seen if self.dedup else None)
            if model is None:
                _logger.info("every sample of the space has been drawn")
                return
            if self.latency_filter(model):
                misses = 0
                yield model
            else:
                misses += 1
                if misses >= self.patience:
                    _logger.warning("nothing passed the latency filter in %d draws", misses)
                    return


class SortedSearch(_Search):
    """Sample a pool, predict all of it, and submit in order of latency, or of closeness to a target.

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
    """

    def __init__(
        self,
        latency_filter: LatencyFilter,
        *,
        pool_size: int = 1000,
        target_ms: float | None = None,
        seed: int | None = None,
    ) -> None:
        if target_ms is not None and target_ms <= 0:
            raise ValueError(f"target_ms must be a positive number of ms, but got {target_ms}")
        super().__init__(latency_filter, seed)
        self.pool_size = _positive("pool_size", pool_size)
        self.target_ms = target_ms

    def search(self, space: Space, engine: Engine) -> None:
        """Submit the pool in order, until the budget is spent."""
        submitted = 0
        for _, model in self._pool(space):
            if not engine.ready():
                break
            engine.submit(model)
            submitted += 1
        _conclude(engine, self.latency_filter, submitted)

    def _pool(self, space: Space) -> list[tuple[float, Any]]:
        seen: set[Hashable] = set()
        pool = []
        for _ in range(self.pool_size):
            model = draw(space, self.rng, seen)
            if model is None:
                break
            passed, latencies = self.latency_filter.check(model)
            if passed:
                latency_ms = _first(latencies)
                pool.append(
                    (latency_ms if self.target_ms is None else abs(latency_ms - self.target_ms), model)
                )
        pool.sort(key=lambda entry: entry[0])
        return pool


@dataclass
class Individual:
    """A trained candidate.

    Parameters
    ----------
    sample : dict
        Label -> choice.
    metric : float
        Larger is better.
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


class EvolutionSearch(_Search):
    """Evolution whose candidates all pass the filter.

    Parameters
    ----------
    latency_filter : LatencyFilter
        What must pass; its (first) predictor is the second objective of ``"pareto"``.
    objective : {"accuracy", "pareto"}
        ``"accuracy"``: aging evolution (Real et al., 2019) of the metric under the latency constraint.
        ``"pareto"``: the metric against the latency, by non-dominated sorting.
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
        if objective not in ("accuracy", "pareto"):
            raise ValueError(f"objective must be 'accuracy' or 'pareto', but got {objective!r}")
        if not 0.0 < mutation_prob <= 1.0:
            raise ValueError(f"mutation_prob must be above 0 and at most 1, but got {mutation_prob}")
        if not 1 <= sample_size <= population_size:
            raise ValueError(f"sample_size must be between 1 and population_size, but got {sample_size}")
        super().__init__(latency_filter, seed)
        self.objective = objective
        self.population_size = population_size
        self.sample_size = sample_size
        self.mutation_prob = mutation_prob
        self.patience = _positive("patience", patience)
        self.history: list[Individual] = []
        self.population: list[Individual] = []

    @property
    def front(self) -> list[Individual]:
        """Trained candidates that no other beats in both metric and latency, fastest first."""
        points = [(-one.metric, one.latency_ms) for one in self.history]
        best = fronts(points)[0] if points else []
        return sorted((self.history[i] for i in best), key=lambda one: one.latency_ms)

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
        _conclude(engine, self.latency_filter, submitted)
        engine.wait([entry.model for entry in running])
        self._collect(engine, running)

    def _next(self, space: Space, seen: set[Hashable], fill: bool) -> _Running | None:
        for _ in range(self.patience):
            if fill:
                sample = space.random(self.rng)
            else:
                sample = space.mutate(self._parent().genes, self.mutation_prob, self.rng)
            key = space.key(sample)
            if key in seen:
                continue
            seen.add(key)
            model = space.model(sample)
            if model is None:
                continue
            passed, latencies = self.latency_filter.check(model)
            if passed:
                labels = dict(self.latency_filter.latency.last_sample)
                return _Running(sample, labels, model, _first(latencies))
        _logger.warning("no new candidate passed the latency filter in %d draws", self.patience)
        return None

    def _parent(self) -> Individual:
        rivals = self.rng.sample(self.population, min(self.sample_size, len(self.population)))
        if self.objective == "accuracy":
            return max(rivals, key=lambda one: one.metric)
        ranks = ranking([(-one.metric, one.latency_ms) for one in rivals])
        return rivals[min(range(len(rivals)), key=ranks.__getitem__)]

    def _collect(self, engine: Engine, running: list[_Running]) -> None:
        for entry in list(running):
            finished, metric = engine.metric(entry.model)
            if not finished:
                continue
            running.remove(entry)
            if metric is not None:
                one = Individual(entry.labels, metric, entry.latency_ms, entry.genes)
                self.history.append(one)
                self.population.append(one)
        while len(self.population) > self.population_size:
            if self.objective == "accuracy":
                self.population.pop(0)
            else:
                ranks = ranking([(-one.metric, one.latency_ms) for one in self.population])
                self.population.pop(max(range(len(ranks)), key=ranks.__getitem__))


def draw(space: Space, rng: Random, seen: set[Hashable] | None) -> Any | None:
    """Return a random valid candidate, new where `seen` is given; None when the space has no more."""
    for _ in range(_REPEATS):
        sample = space.random(rng)
        if seen is not None:
            key = space.key(sample)
            if key in seen:
                continue
            seen.add(key)
        model = space.model(sample)
        if model is not None:
            return model
    return None


def _first(latency_ms: Mapping[str, float]) -> float:
    """Latency on the first device; infinite for a candidate that was accepted unpredicted."""
    return next(iter(latency_ms.values()), float("inf"))


def _conclude(engine: Engine, latency_filter: LatencyFilter, submitted: int) -> None:
    engine.finish(submitted)
    _logger.info("search ends with %d candidates submitted; %s", submitted, latency_filter.stats)
    if submitted == 0 and latency_filter.stats.seen:
        raise NoCandidateError(
            f"no candidate passed the latency filter ({latency_filter!r}); {latency_filter.stats}. "
            "Raise the threshold, or search a space with smaller models."
        )


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name} must be a positive integer, but got {value}")
    return value
