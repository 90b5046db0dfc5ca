"""Whole experiments of NNI 2.10: a real manager and the local training service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnmeter_nni import retiarii_config
from tests.nnmeter_nni.runner import run

pytestmark = pytest.mark.slow

EVERYTHING = 1e6
NOTHING = 1e-6


def check(outcome: Any, trials: int, threshold: float) -> dict[str, Any]:
    assert outcome.status == 0, outcome.output
    assert not outcome.left
    result: dict[str, Any] = outcome.result
    assert len(result["top"]) == min(3, trials)
    assert {"first", "second", "third"} == set(result["top"][0])
    assert sum(value < threshold for value in result["latencies"]) == result["accepted"]
    return result


@pytest.mark.parametrize("engine", ["python", "graph"])
@pytest.mark.parametrize("strategy", ["nni-random", "random"])
def test_random_with_a_filter_on_both_engines(tmp_path: Path, engine: str, strategy: str) -> None:
    outcome = run(
        "run_retiarii.py", tmp_path, strategy=strategy, engine=engine, threshold=EVERYTHING, trials=2
    )
    check(outcome, 2, EVERYTHING)


@pytest.mark.parametrize("strategy", ["nni-evolution", "pareto"])
def test_evolution(tmp_path: Path, strategy: str) -> None:
    outcome = run("run_retiarii.py", tmp_path, strategy=strategy, threshold=EVERYTHING, trials=4)
    result = check(outcome, 4, EVERYTHING)
    if strategy == "pareto":
        assert result["front"]
        assert set(result["front"][0]) == {"first", "second", "third"}


def test_sorted_ends_when_its_pool_is_smaller_than_the_budget(tmp_path: Path) -> None:
    outcome = run(
        "run_retiarii.py", tmp_path, strategy="sorted", threshold=EVERYTHING, trials=50, pool_size=2
    )
    result = check(outcome, 2, EVERYTHING)
    assert result["accepted"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "random"}, "nearest"),
        ({"strategy": "nni-random", "dedup": False, "patience": 40}, "nearest"),
        ({"strategy": "nni-random"}, "its filter rejected all that it drew"),
    ],
)
def test_it_stops_when_nothing_passes(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    outcome = run("run_retiarii.py", tmp_path, threshold=NOTHING, **options)
    assert outcome.status == 1
    assert "NoCandidateError" in outcome.output
    assert message in outcome.output
    assert not outcome.left


def test_it_stops_when_the_prediction_fails(tmp_path: Path) -> None:
    outcome = run(
        "run_retiarii.py", tmp_path, strategy="nni-random", threshold=EVERYTHING, input_shape=(1, 5, 32, 32)
    )
    assert outcome.status == 1
    assert "ModelFormatError" in outcome.output
    assert not outcome.left


def test_it_stops_on_ctrl_c(tmp_path: Path) -> None:
    outcome = run(
        "run_retiarii.py",
        tmp_path,
        strategy="random",
        threshold=EVERYTHING,
        trials=50,
        interrupt_at="Start strategy",
    )
    assert "Experiment stopped" in outcome.output
    assert not outcome.left


def test_the_configuration_is_checked() -> None:
    with pytest.raises(ValueError, match="takes no dummy_input"):
        retiarii_config("python", (1, 3, 32, 32))
    with pytest.raises(ValueError, match="but got 'base'"):
        retiarii_config("base")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no setting 'max_trials'"):
        retiarii_config(max_trials=3)
    config = retiarii_config("graph", (1, 3, 32, 32), max_trial_number=7)
    assert config.execution_engine.dummy_input == [1, 3, 32, 32]
    assert config.max_trial_number == 7
