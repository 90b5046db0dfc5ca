from __future__ import annotations

import logging
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from nnmeter_nni import CandidateLatency, FilterStats, LatencyFilter, NoCandidateError
from nnmeter_nni._nni import installed_major
from predictor_core import LatencyPredictor, PredictorError
from predictor_core.catalog.register import register_predictor
from predictor_core.predictor.learned import LearnedPredictor
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


def test_a_learned_predictor_by_its_registered_name(learned: LatencyPredictor, tmp_path: Path) -> None:
    assert isinstance(learned, LearnedPredictor)
    register_predictor(learned.save(tmp_path / "learned"))
    model = chain(16, 32)
    exact = latency(learned, model)
    assert not LatencyFilter(exact, "learned", input_shape=SHAPE)(model)
    both = LatencyFilter({"learned": 1.01 * exact, CPU: 100.0}, input_shape=SHAPE)
    assert both(model)
    assert pickle.loads(pickle.dumps(both))(model)


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
        ({"threshold": 1.0, "predictor": CPU, "patience": "long"}, "but got 'long'"),
        (
            {"threshold": 1.0, "predictor": CPU, "input_shape": 64},
            "input_shape=64; expected positive integers",
        ),
        (
            {"threshold": 1.0, "predictor": CPU, "input_shape": "1,3,64,64"},
            "input_shape='1,3,64,64'; expected",
        ),
        ({"threshold": 1.0, "predictor": CPU, "input_shape": (1, 3, -64, 64)}, "expected positive integers"),
        ({"threshold": 1.0, "predictor": CPU, "input_shape": {"x": SHAPE}}, "are given in order"),
        ({"threshold": CPU, "predictor": 10}, f"write LatencyFilter(10, '{CPU}')"),
        ({"threshold": 10, "predictor": [CPU, VPU]}, f"LatencyFilter({{'{CPU}': 10, '{VPU}': 10}})"),
        ({"threshold": CPU}, "needs a threshold and a predictor"),
        ({"threshold": 10, "predictor": 5}, "must be a name, e.g. 'cortexA76cpu_tflite21'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        LatencyFilter(**arguments)
    assert isinstance(caught.value, PredictorError)
    assert "\n" not in str(caught.value)


def test_a_device_alone_needs_no_list_around_it(cpu: LatencyPredictor) -> None:
    model = chain(8)
    for given in (CPU, cpu, [CPU]):
        assert CandidateLatency(given, input_shape=SHAPE)(model) == {CPU: latency(cpu, model)}
    with pytest.raises(ValueError, match="expected at least one device"):
        CandidateLatency([])


def test_several_inputs(cpu: LatencyPredictor) -> None:
    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.conv(x) * y

    shapes = [(1, 3, 10, 10), (1, 8, 8, 8)]
    expected = cpu.predict(Two(), "torch", input_shape=shapes)
    assert CandidateLatency(CPU, input_shape=shapes)(Two()) == {CPU: expected}


def test_a_missing_or_unknown_predictor_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a threshold and a predictor"):
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


class Own:
    """A predictor of the user, which answers with whatever it is given."""

    name = "own"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def predict(self, model: Any) -> Any:
        self.asked.append(model)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [IndexError("tuple index out of range"), RecursionError("too deep"), float("nan"), -1.0, None, "fast"],
    ids=repr,
)
def test_whatever_a_predictor_of_the_user_raises_follows_the_policy(answer: Any) -> None:
    model = chain(8)
    with pytest.raises(PredictorError, match=r"can't be predicted|must return a finite latency"):
        LatencyFilter(1.0, Own(answer), input_shape=SHAPE)(model)
    for policy, verdict in (("reject", False), ("accept", True)):
        judged = LatencyFilter(1.0, Own(answer), on_error=policy, input_shape=SHAPE)  # type: ignore[arg-type]
        assert judged(model) is verdict
        assert (judged.stats.seen, judged.stats.failed) == (1, 1)


class Hostile:
    """A candidate whose every attribute raises."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


def test_whatever_a_candidate_raises_follows_the_policy() -> None:
    assert LatencyFilter(1.0, CPU, on_error="reject")(Hostile()) is False
    with pytest.raises(PredictorError, match="Hostile can't be predicted: KeyError"):
        LatencyFilter(1.0, CPU)(Hostile())


class Decode(torch.nn.Module):
    """The end of a detector: a concat times a constant of lower rank."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("stride", torch.full((1, 2100), 8.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, 1)
        return torch.cat(((a + b) / 2, b - a), 1) * self.stride


def test_a_constant_of_lower_rank_does_not_end_a_search() -> None:
    judged = LatencyFilter(100, "adreno640gpu_tflite21", on_error="reject", input_shape=(1, 4, 2100))
    assert judged(Decode()) in (True, False)
    assert judged.stats.seen == 1


def test_an_interrupt_is_no_failure_of_a_candidate() -> None:
    class Interrupted(Own):
        def predict(self, model: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LatencyFilter(1.0, Interrupted(0), on_error="reject", input_shape=SHAPE)(chain(8))


def test_several_devices_read_a_candidate_once(cpu: LatencyPredictor) -> None:
    runs = 0

    class Counted(torch.nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nonlocal runs
            runs += 1
            return super().forward(x)

    assert LatencyFilter(1e6, cpu, input_shape=SHAPE)(Counted(3, 8, 3))
    once, runs = runs, 0
    assert LatencyFilter(dict.fromkeys((CPU, VPU, "adreno640gpu_tflite21"), 1e6), input_shape=SHAPE)(
        Counted(3, 8, 3)
    )
    assert runs == once


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


def test_the_median_of_an_even_count_is_the_mean_of_the_two_in_the_middle() -> None:
    stats = FilterStats()
    for value in (272.0, 5.36):
        stats.record({CPU: value})
    assert f"{CPU} 5.36 / 139 / 272 ms (min / median / max)" in str(stats)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("least", [None, 2.0])
def test_bounds_tell_whether_anything_can_pass(reverse: bool, least: float | None) -> None:
    judged = LatencyFilter(4.0, Own(1.0), reverse=reverse, min_latency=least)
    grid = [0.5 * step for step in range(1, 12)]
    for low in grid:
        for high in (one for one in grid if one >= low):
            between = [one for one in grid if low <= one <= high]
            passing = [one for one in between if judged.judge({"own": one})]
            assert judged.can_pass({"own": (low, high)}) or not passing
            if not reverse or least is None:
                # One interval of latencies passes, so the ends decide.
                inside = low < 4.0 and (least is None or high >= least)
                assert judged.can_pass({"own": (low, high)}) == (high >= 4.0 if reverse else inside)


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
    assert ("where NNI's documents have exp_config.dummy_input" in caplog.text) == (installed_major() == 2)
