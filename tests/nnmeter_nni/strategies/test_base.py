"""What the strategies share."""

from __future__ import annotations

import inspect
import pickle
import re
from random import Random
from typing import Any

import pytest

from nnmeter_nni import LatencyEvolution, LatencyFilter, LatencyRandom, LatencySorted, NoCandidateError
from predictor_core import LatencyPredictor, PredictorError
from tests.nnmeter_nni.plain import SHAPE, chain
from tests.nnmeter_nni.strategies.toy import CPU, Budget, Widths, latency


@pytest.mark.parametrize("kind", [LatencyRandom, LatencyEvolution, LatencySorted])
def test_when_nothing_passes_it_stops_and_names_the_nearest(kind: Any, cpu: LatencyPredictor) -> None:
    fastest = latency(cpu, chain(4, 4, 4))
    options = {"pool_size": 200} if kind is LatencySorted else {"patience": 200}
    engine = Budget(5)
    with pytest.raises(
        NoCandidateError, match=r"no candidate passed .* nearest .* ms on cortexA76cpu_tflite21"
    ):
        kind(LatencyFilter(fastest / 2, CPU, input_shape=SHAPE), seed=0, **options).search(Widths(), engine)
    assert engine.finished
    assert not engine.submitted


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (LatencyRandom, {"patience": 0}, "patience must be a positive integer, but got 0"),
        (LatencySorted, {"pool_size": -1}, "pool_size must be a positive integer, but got -1"),
        (LatencySorted, {"pool_size": 2.5}, "pool_size must be a positive integer, but got 2.5"),
        (LatencySorted, {"target_ms": 0}, "target_ms must be a positive number"),
        (LatencySorted, {"target_ms": "fast"}, "target_ms must be a number, but got 'fast'"),
        (LatencyEvolution, {"objective": "speed"}, "but got 'speed'"),
        (LatencyEvolution, {"mutation_prob": 0}, "mutation_prob must be above 0"),
        (LatencyEvolution, {"mutation_prob": "low"}, "mutation_prob must be a number, but got 'low'"),
        (
            LatencyEvolution,
            {"population_size": "20"},
            "population_size must be a positive integer, but got '20'",
        ),
        (LatencyEvolution, {"sample_size": 9, "population_size": 8}, "sample_size must be between"),
    ],
)
def test_bad_options_are_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        kind(LatencyFilter(100, CPU), **options)
    assert isinstance(caught.value, PredictorError)


def test_something_else_than_a_filter_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a LatencyFilter"):
        LatencyRandom(lambda model: True)  # type: ignore[arg-type]


def test_a_pickle_keeps_the_seed() -> None:
    search = LatencyRandom(LatencyFilter(100, CPU), seed=5)
    again = pickle.loads(pickle.dumps(search))
    assert again.rng.random() == Random(5).random()


@pytest.mark.parametrize("kind", [LatencyEvolution, LatencyRandom, LatencySorted])
def test_signatures_and_docstrings_name_every_parameter(kind: Any) -> None:
    parameters = inspect.signature(kind).parameters.values()
    assert [one.kind for one in parameters][1:] == [inspect.Parameter.KEYWORD_ONLY] * (len(parameters) - 1)
    documented = kind.__doc__.partition("Parameters")[2].partition("Raises")[0]
    assert all(re.search(rf"^    .*\b{one.name}\b.* : ", documented, re.MULTILINE) for one in parameters)
    for section in ("Parameters", "Raises", "Examples"):
        assert f"    {section}\n    ---" in kind.__doc__
