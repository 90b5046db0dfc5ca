"""LatencySorted on a small space."""

from __future__ import annotations

from nnmeter_nni import LatencyFilter, LatencySorted
from predictor_core import LatencyPredictor
from tests.nnmeter_nni.plain import SHAPE
from tests.nnmeter_nni.strategies.toy import CPU, Budget, Widths, latency, middle


def test_sorted_submits_the_fastest_first(cpu: LatencyPredictor) -> None:
    engine = Budget(8)
    LatencySorted(LatencyFilter(middle(cpu), CPU, input_shape=SHAPE), pool_size=60, seed=0).search(
        Widths(), engine
    )
    found = [latency(cpu, model) for model in engine.submitted]
    assert len(found) == 8
    assert found == sorted(found)


def test_sorted_can_aim_at_a_target(cpu: LatencyPredictor) -> None:
    engine = Budget(8)
    everything = LatencyFilter(1e6, CPU, input_shape=SHAPE)
    LatencySorted(everything, pool_size=60, target_ms=middle(cpu), seed=0).search(Widths(), engine)
    distances = [abs(latency(cpu, model) - middle(cpu)) for model in engine.submitted]
    assert distances == sorted(distances)
