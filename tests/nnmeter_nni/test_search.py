"""The searches on a small space of plain modules, trained by a formula."""

from __future__ import annotations

import pickle
from collections.abc import Hashable
from itertools import product
from random import Random
from typing import Any

import pytest
from torch import nn

from nnmeter_nni import LatencyFilter, NoCandidateError
from nnmeter_nni.strategies.pareto import dominates
from nnmeter_nni.strategies.search import EvolutionSearch, RandomSearch, SortedSearch
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


@pytest.fixture
def middle(cpu: LatencyPredictor) -> float:
    return cpu.predict(chain(16, 16, 16), "torch", input_shape=SHAPE)


def latency(cpu: LatencyPredictor, model: Any) -> float:
    return cpu.predict(model, "torch", input_shape=SHAPE)


def test_random_submits_only_what_passes_and_nothing_twice(cpu: LatencyPredictor, middle: float) -> None:
    engine = Budget(10)
    RandomSearch(LatencyFilter(middle, CPU, input_shape=SHAPE), seed=0).search(Widths(), engine)
    assert len(engine.submitted) == 10
    assert engine.finished
    assert all(latency(cpu, model) < middle for model in engine.submitted)
    assert len({model.sample for model in engine.submitted}) == 10


def test_seeds_decide(middle: float) -> None:
    runs = []
    for seed in (1, 1, 2):
        engine = Budget(5)
        RandomSearch(LatencyFilter(middle, CPU, input_shape=SHAPE), seed=seed).search(Widths(), engine)
        runs.append([model.sample for model in engine.submitted])
    assert runs[0] == runs[1] != runs[2]


def test_an_exhausted_space_ends_the_search() -> None:
    engine = Budget(1000)
    RandomSearch(LatencyFilter(1e6, CPU, input_shape=SHAPE), seed=0).search(Widths(), engine)
    valid = [s for s in ((a, b, c) for a in WIDTHS for b in WIDTHS for c in WIDTHS) if Widths().model(s)]
    assert sorted(model.sample for model in engine.submitted) == sorted(valid)
    assert engine.finished


@pytest.mark.parametrize("kind", [RandomSearch, EvolutionSearch, SortedSearch])
def test_when_nothing_passes_it_stops_and_names_the_nearest(kind: Any, cpu: LatencyPredictor) -> None:
    fastest = latency(cpu, chain(4, 4, 4))
    options = {"pool_size": 200} if kind is SortedSearch else {"patience": 200}
    engine = Budget(5)
    with pytest.raises(
        NoCandidateError, match=r"no candidate passed .* nearest .* ms on cortexA76cpu_tflite21"
    ):
        kind(LatencyFilter(fastest / 2, CPU, input_shape=SHAPE), seed=0, **options).search(Widths(), engine)
    assert engine.finished
    assert not engine.submitted


def test_patience_keeps_what_was_submitted(cpu: LatencyPredictor) -> None:
    threshold = latency(cpu, chain(4, 4, 4)) * 1.0001
    engine = Budget(1000)
    RandomSearch(LatencyFilter(threshold, CPU, input_shape=SHAPE), dedup=False, patience=300, seed=0).search(
        Widths(), Stopping(engine)
    )
    assert {model.sample for model in engine.submitted} == {(4, 4, 4)}


class Stopping(Budget):
    """Ends the search after three candidates of whatever engine it stands for."""

    def __init__(self, engine: Budget) -> None:
        super().__init__(3)
        self.submitted = engine.submitted


def test_sorted_submits_the_fastest_first(cpu: LatencyPredictor, middle: float) -> None:
    engine = Budget(8)
    SortedSearch(LatencyFilter(middle, CPU, input_shape=SHAPE), pool_size=60, seed=0).search(Widths(), engine)
    found = [latency(cpu, model) for model in engine.submitted]
    assert len(found) == 8
    assert found == sorted(found)


def test_sorted_can_aim_at_a_target(cpu: LatencyPredictor, middle: float) -> None:
    engine = Budget(8)
    everything = LatencyFilter(1e6, CPU, input_shape=SHAPE)
    SortedSearch(everything, pool_size=60, target_ms=middle, seed=0).search(Widths(), engine)
    distances = [abs(latency(cpu, model) - middle) for model in engine.submitted]
    assert distances == sorted(distances)


def test_evolution_improves_under_the_constraint(cpu: LatencyPredictor) -> None:
    space = Widths()
    limit = cpu.predict(chain(32, 32, 24), "torch", input_shape=SHAPE)
    children = []
    for seed in range(5):
        engine = Budget(20)
        search = EvolutionSearch(
            LatencyFilter(limit, CPU, input_shape=SHAPE),
            population_size=8,
            sample_size=4,
            mutation_prob=0.4,
            seed=seed,
        )
        search.search(space, engine)
        assert all(latency(cpu, model) < limit for model in engine.submitted)
        assert len({model.sample for model in engine.submitted}) == len(engine.submitted)
        # Candidates that failed to train are not parents, and are not in the history.
        assert all(one.genes[0] != 4 for one in search.history)
        children += [one.metric for one in search.history[8:]]
    models = [space.model(sample) for sample in product(WIDTHS[1:], WIDTHS, WIDTHS)]
    passing = [sum(model.sample) for model in models if model is not None and latency(cpu, model) < limit]
    assert sum(children) / len(children) > 1.05 * sum(passing) / len(passing)


def test_pareto_evolution_returns_the_front(cpu: LatencyPredictor) -> None:
    engine = Budget(40)
    search = EvolutionSearch(
        LatencyFilter(1e6, CPU, input_shape=SHAPE),
        objective="pareto",
        population_size=10,
        sample_size=4,
        mutation_prob=0.4,
        seed=0,
    )
    search.search(Widths(), engine)
    points = {id(one): (-one.metric, one.latency_ms) for one in search.history}
    front = search.front
    assert [one.latency_ms for one in front] == sorted(one.latency_ms for one in front)
    for one in search.history:
        beaten = any(dominates(point, points[id(one)]) for point in points.values())
        assert beaten != (one in front)
    assert len(search.population) == 10


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (RandomSearch, {"patience": 0}, "patience must be a positive integer, but got 0"),
        (SortedSearch, {"pool_size": -1}, "pool_size must be a positive integer, but got -1"),
        (SortedSearch, {"target_ms": 0}, "target_ms must be a positive number"),
        (EvolutionSearch, {"objective": "speed"}, "but got 'speed'"),
        (EvolutionSearch, {"mutation_prob": 0}, "mutation_prob must be above 0"),
        (EvolutionSearch, {"sample_size": 9, "population_size": 8}, "sample_size must be between"),
    ],
)
def test_bad_options_are_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(LatencyFilter(100, CPU), **options)


def test_something_else_than_a_filter_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a LatencyFilter"):
        RandomSearch(lambda model: True)  # type: ignore[arg-type]


def test_a_pickle_keeps_the_seed() -> None:
    search = RandomSearch(LatencyFilter(100, CPU), seed=5)
    again = pickle.loads(pickle.dumps(search))
    assert again.rng.random() == Random(5).random()
