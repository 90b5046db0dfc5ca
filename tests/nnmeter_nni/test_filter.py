from __future__ import annotations

import logging
import pickle
import re
from typing import Any

import pytest
import torch

from nnmeter_nni import LatencyFilter, NoCandidateError
from predictor_core import LatencyPredictor, PredictorError
from tests.nnmeter_nni.plain import SHAPE, Failing, chain

CPU = "cortexA76cpu_tflite21"
VPU = "myriadvpu_openvino2019r2"


def latency(predictor: LatencyPredictor, model: torch.nn.Module) -> float:
    return predictor.predict(model, "torch", input_shape=SHAPE)


def test_accepts_what_is_strictly_below_the_threshold(cpu: LatencyPredictor) -> None:
    model = chain(16, 32)
    exact = latency(cpu, model)
    assert not LatencyFilter(exact, CPU, input_shape=SHAPE)(model)
    assert LatencyFilter(exact * (1 + 1e-9), CPU, input_shape=SHAPE)(model)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("least", [None, 0.3])
def test_reverse_is_the_exact_complement(cpu: LatencyPredictor, factor: float, least: float | None) -> None:
    model = chain(16, 32)
    threshold = factor * latency(cpu, model)
    options: dict[str, Any] = {"input_shape": SHAPE, "min_latency": least and least * threshold}
    assert LatencyFilter(threshold, CPU, **options)(model) != LatencyFilter(
        threshold, CPU, None, True, **options
    )(model)


def test_min_latency_rejects_what_is_too_fast(cpu: LatencyPredictor) -> None:
    model = chain(16, 32)
    exact = latency(cpu, model)
    assert LatencyFilter(2 * exact, CPU, input_shape=SHAPE, min_latency=exact)(model)
    assert not LatencyFilter(2 * exact, CPU, input_shape=SHAPE, min_latency=1.1 * exact)(model)


def test_several_devices_must_all_agree(devices: list[LatencyPredictor]) -> None:
    model = chain(16, 32)
    loose = {one.name: 1.1 * latency(one, model) for one in devices}
    assert LatencyFilter(loose, input_shape=SHAPE)(model)
    for name in loose:
        tight = {**loose, name: 0.9 * loose[name]}
        assert not LatencyFilter(tight, input_shape=SHAPE)(model)
        assert LatencyFilter(tight, reverse=True, input_shape=SHAPE)(model)


def test_a_predictor_object_and_a_version_are_taken(cpu: LatencyPredictor) -> None:
    model = chain(16)
    for latency_filter in (
        LatencyFilter(1e6, cpu, input_shape=SHAPE),
        LatencyFilter(1e6, CPU, "2.0", input_shape=SHAPE),
    ):
        assert latency_filter(model)
        assert latency_filter.stats.latencies_ms[CPU][0] == pytest.approx(latency(cpu, model), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0, "predictor": CPU}, "positive number of ms, but got 0"),
        ({"threshold": -1.0, "predictor": CPU}, "positive number of ms, but got -1.0"),
        ({"threshold": float("nan"), "predictor": CPU}, "number of ms, but got nan"),
        ({"threshold": "8", "predictor": CPU}, "number of ms, but got '8'"),
        ({"threshold": {}}, "empty mapping"),
        ({"threshold": {CPU: 1.0}, "predictor": CPU}, "predictor must be left out"),
        ({"threshold": 1.0, "predictor": CPU, "min_latency": 2.0}, "nothing can pass"),
        ({"threshold": 1.0, "predictor": CPU, "min_latency": {VPU: 0.1}}, f"expected one of {CPU}"),
        ({"threshold": 1.0, "predictor": CPU, "on_error": "ignore"}, "but got 'ignore'"),
        ({"threshold": 1.0, "predictor": CPU, "patience": 0}, "but got 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        LatencyFilter(**arguments)


def test_a_missing_or_unknown_predictor_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a predictor"):
        LatencyFilter(100)
    with pytest.raises(PredictorError, match="nosuchdevice"):
        LatencyFilter(100, "nosuchdevice")


def test_what_can_not_be_predicted_follows_the_policy() -> None:
    with pytest.raises(PredictorError, match="this candidate is broken"):
        LatencyFilter(1.0, CPU, input_shape=SHAPE)(Failing())
    for reverse in (False, True):
        for policy, verdict in (("reject", False), ("accept", True)):
            judged = LatencyFilter(1.0, CPU, reverse=reverse, on_error=policy, input_shape=SHAPE)  # type: ignore[arg-type]
            assert judged(Failing()) is verdict
            assert (judged.stats.seen, judged.stats.failed) == (1, 1)
    with pytest.raises(PredictorError, match="got a candidate of type str"):
        LatencyFilter(1.0, CPU)("a string")


def test_stats_count_and_keep_latencies(cpu: LatencyPredictor, caplog: pytest.LogCaptureFixture) -> None:
    models = [chain(width) for width in (8, 16, 32, 64)]
    each = [latency(cpu, model) for model in models]
    latency_filter = LatencyFilter((each[1] + each[2]) / 2, CPU, input_shape=SHAPE)
    assert [latency_filter(model) for model in models] == [True, True, False, False]
    stats = latency_filter.stats
    assert (stats.seen, stats.accepted, stats.rejected, stats.failed) == (4, 2, 2, 0)
    assert list(stats.latencies_ms[CPU]) == pytest.approx(each, rel=1e-12)
    assert stats.nearest["latency_ms"][CPU] == pytest.approx(each[2], rel=1e-12)
    assert "4 candidates: 2 accepted, 2 rejected" in str(stats)
    with caplog.at_level(logging.INFO, logger="nnmeter_nni"):
        del latency_filter
    assert "2 accepted, 2 rejected" in caplog.text


def test_a_search_that_can_not_succeed_ends(cpu: LatencyPredictor) -> None:
    model = chain(16)
    latency_filter = LatencyFilter(0.5 * latency(cpu, model), CPU, input_shape=SHAPE, patience=3)
    assert [latency_filter(model), latency_filter(model)] == [False, False]
    with pytest.raises(NoCandidateError, match=r"in 3 draws.*nearest .* ms on cortexA76cpu_tflite21"):
        latency_filter(model)


def test_it_can_be_pickled(cpu: LatencyPredictor) -> None:
    model = chain(16)
    latency_filter = LatencyFilter({CPU: 1e6, VPU: 1e6}, input_shape=SHAPE, min_latency={VPU: 1e-6})
    assert latency_filter(model)
    again = pickle.loads(pickle.dumps(latency_filter))
    assert again(model)
    assert (again.stats.seen, again.stats.accepted) == (2, 2)
    assert repr(again) == repr(latency_filter)
    # NNI 2.10 refuses to save strategies above 4 KB.
    assert len(pickle.dumps(LatencyFilter(1e6, cpu))) < 2000


def test_random_state_and_module_are_left_alone() -> None:
    model = chain(8).train()
    before = torch.random.get_rng_state()
    LatencyFilter(1e6, CPU, input_shape=SHAPE)(model)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.training


def test_the_default_input_shape_is_told(caplog: pytest.LogCaptureFixture, cpu: LatencyPredictor) -> None:
    latency_filter = LatencyFilter(1e6, CPU)
    model = chain(8)
    assert latency_filter(model)
    assert latency_filter(model)
    assert caplog.text.count("no input_shape is given") == 1
    assert latency_filter.stats.latencies_ms[CPU][0] == pytest.approx(cpu.predict(model, "torch"), rel=1e-12)
