"""LatencyRandom on a small space."""

from __future__ import annotations

from nnmeter_nni import LatencyFilter, LatencyRandom
from predictor_core import LatencyPredictor
from tests.nnmeter_nni.plain import SHAPE, chain
from tests.nnmeter_nni.strategies.toy import CPU, WIDTHS, Budget, Widths, latency, middle


def test_random_submits_only_what_passes_and_nothing_twice(cpu: LatencyPredictor) -> None:
    engine = Budget(10)
    LatencyRandom(LatencyFilter(middle(cpu), CPU, input_shape=SHAPE), seed=0).search(Widths(), engine)
    assert len(engine.submitted) == 10
    assert engine.finished
    assert all(latency(cpu, model) < middle(cpu) for model in engine.submitted)
    assert len({model.sample for model in engine.submitted}) == 10


def test_seeds_decide(cpu: LatencyPredictor) -> None:
    runs = []
    for seed in (1, 1, 2):
        engine = Budget(5)
        LatencyRandom(LatencyFilter(middle(cpu), CPU, input_shape=SHAPE), seed=seed).search(Widths(), engine)
        runs.append([model.sample for model in engine.submitted])
    assert runs[0] == runs[1] != runs[2]


def test_an_exhausted_space_ends_the_search() -> None:
    engine = Budget(1000)
    LatencyRandom(LatencyFilter(1e6, CPU, input_shape=SHAPE), seed=0).search(Widths(), engine)
    valid = [s for s in ((a, b, c) for a in WIDTHS for b in WIDTHS for c in WIDTHS) if Widths().model(s)]
    assert sorted(model.sample for model in engine.submitted) == sorted(valid)
    assert engine.finished


def test_patience_keeps_what_was_submitted(cpu: LatencyPredictor) -> None:
    threshold = latency(cpu, chain(4, 4, 4)) * 1.0001
    engine = Budget(1000)
    LatencyRandom(LatencyFilter(threshold, CPU, input_shape=SHAPE), dedup=False, patience=300, seed=0).search(
        Widths(), Stopping(engine)
    )
    assert {model.sample for model in engine.submitted} == {(4, 4, 4)}


class Stopping(Budget):
    """Ends the search after three candidates of whatever engine it stands for."""

    def __init__(self, engine: Budget) -> None:
        super().__init__(3)
        self.submitted = engine.submitted
