"""LatencyEvolution on a small space."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from nnmeter_nni import LatencyEvolution, LatencyFilter
from nnmeter_nni.strategies.pareto import dominates
from predictor_core import LatencyPredictor
from tests.nnmeter_nni.plain import SHAPE, chain
from tests.nnmeter_nni.strategies.toy import CPU, WIDTHS, Budget, Widths, latency


def test_evolution_improves_under_the_constraint(cpu: LatencyPredictor) -> None:
    space = Widths()
    limit = cpu.predict(chain(32, 32, 24), "torch", input_shape=SHAPE)
    children = []
    for seed in range(5):
        engine = Budget(20)
        search = LatencyEvolution(
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
    search = LatencyEvolution(
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


class Diverging(Budget):
    """Every second candidate reports a metric that is no number."""

    def metric(self, model: Any) -> tuple[bool, float | None]:
        broken = self.submitted.index(model) % 2
        return True, float("nan") if broken else float(sum(model.sample))


@pytest.mark.parametrize("objective", ["accuracy", "pareto"])
def test_candidates_without_a_finite_metric_are_no_parents(objective: Any) -> None:
    search = LatencyEvolution(
        LatencyFilter(1e6, CPU, input_shape=SHAPE),
        objective=objective,
        population_size=4,
        sample_size=2,
        mutation_prob=0.5,
        seed=0,
    )
    engine = Diverging(16)
    search.search(Widths(), engine)
    assert len(engine.submitted) == 16
    assert len(search.history) == 8
    assert all(one.metric == one.metric for one in (*search.history, *search.population, *search.front))
