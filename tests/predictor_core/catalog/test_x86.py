"""The x86 environments of the package: listed, loaded, predicting; all without the measurements."""

from __future__ import annotations

from predictor_core import list_latency_predictors, load_latency_predictor, zoo
from predictor_core.catalog.cards import card_of
from predictor_core.catalog.embedded import X86
from predictor_core.learning.population import known_populations
from predictor_core.learning.x86.environments import ENVIRONMENTS, POPULATION

LISTED = [entry for entry in list_latency_predictors() if entry.get("population") == POPULATION]


def test_all_are_listed_with_what_they_are() -> None:
    assert [entry["name"] for entry in LISTED] == [one.name for one in ENVIRONMENTS]
    for entry in LISTED:
        assert all(entry[key] for key in ("hardware", "chip", "cores", "precision", "runtime"))
        # The planned models alone, and noisy ones, are what two threads were timed with.
        assert (80.0 if "_cpu1_" in entry["name"] else 50.0) <= entry["accuracy"] <= 100.0


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in X86.iterdir()) < 150e3


def test_they_predict() -> None:
    for family in ("mobilenetv2", "resnet50"):
        graph = zoo.build(family)
        for one in ENVIRONMENTS[: len(ENVIRONMENTS) // 2]:
            report = load_latency_predictor(one.name).profile(graph)
            low_ms, high_ms = report.interval_ms
            assert low_ms < report.latency_ms < high_ms
            both = load_latency_predictor(one._replace(threads=2).name).predict(graph)
            assert 0.45 < both / report.latency_ms < 1.0


def test_cards_say_what_was_held_out() -> None:
    card = card_of(LISTED[0])
    assert "none of the held-out networks" in card["training_data"]
    assert card["chip"] == LISTED[0]["chip"]


def test_they_are_one_population() -> None:
    alike, sibling = known_populations()[POPULATION]
    assert alike.label.endswith("as x86 fp32")
    assert set(sibling.means.values()) == {0.0}
