"""Whole experiments of NNI 3.0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnmeter_nni import LatencyFilter, NniVersionError, retiarii_config
from tests.nnmeter_nni.runner import run

EVERYTHING = 1e6
NOTHING = 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "nni-random"},
        {"strategy": "nni-random", "format": "graph"},
        {"strategy": "random"},
        {"strategy": "sorted"},
        {"strategy": "pareto"},
    ],
    ids=str,
)
def test_a_search_with_a_filter(tmp_path: Path, options: dict[str, Any]) -> None:
    outcome = run("run_nas.py", tmp_path, threshold=EVERYTHING, **options)
    assert outcome.status == 0, outcome.output
    assert not outcome.left
    assert outcome.result is not None
    assert len(outcome.result["top"]) == 3
    assert set(outcome.result["top"][0]) == {"first", "second", "third"}
    assert len(outcome.result["latencies"]) == outcome.result["accepted"] >= 3
    assert bool(outcome.result["front"]) == (options["strategy"] == "pareto")


@pytest.mark.slow
def test_it_stops_when_nothing_passes(tmp_path: Path) -> None:
    outcome = run("run_nas.py", tmp_path, threshold=NOTHING, strategy="random")
    assert outcome.status == 1
    assert "NoCandidateError: no candidate passed the latency filter" in outcome.output
    assert not outcome.left


@pytest.mark.slow
def test_it_stops_on_ctrl_c(tmp_path: Path) -> None:
    outcome = run(
        "run_nas.py",
        tmp_path,
        threshold=EVERYTHING,
        strategy="random",
        trials=50,
        interrupt_at="Starting exploration",
    )
    assert "Experiment stopped" in outcome.output
    assert not outcome.left


@pytest.mark.parametrize("name", ["Random", "RegularizedEvolution"])
def test_the_line_for_nni_2_is_refused_with_the_right_one(name: str) -> None:
    from nni.nas import strategy

    latency_filter = LatencyFilter(threshold=100, predictor="cortexA76cpu_tflite21")
    with pytest.raises(NniVersionError, match=rf"Chain\({name}\(\), Filter\(LatencyFilter\("):
        getattr(strategy, name)(model_filter=latency_filter)
    getattr(strategy, name)()


def test_retiarii_config_is_for_nni_2() -> None:
    with pytest.raises(NniVersionError, match="NasExperiment"):
        retiarii_config()
