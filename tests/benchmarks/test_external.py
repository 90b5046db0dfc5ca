"""The page of others' measurements is what its table and its results say."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from predictor_core import load_latency_predictor
from tests.scripts import load_script

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def external() -> Any:
    return load_script("benchmarks/external.py")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "results" / "external.json").read_text(encoding="utf-8"))["rows"])


def test_the_page_is_that_of_the_results(external: ModuleType, rows: list[dict[str, Any]]) -> None:
    # If it is not: python benchmarks/external.py --render
    assert external.PAGE.read_text(encoding="utf-8") == external.page(rows)


def test_the_results_are_those_of_the_table(external: ModuleType, rows: list[dict[str, Any]]) -> None:
    lines = external.measurements()
    assert [(row["predictor"], row["setup"], row["source"]) for row in rows] == [
        (line["predictor"], line["setup"], line["source"]) for line in lines
    ]
    for line, row in zip(lines, rows):
        assert line["source"] in external.SOURCES
        assert line["checked"] in ("yes", "no")
        assert str(row["measured ms"]).startswith(f"{float(line['latency_ms']):g}")


def test_the_predictions_are_those_of_today(external: ModuleType, rows: list[dict[str, Any]]) -> None:
    # If they are not: python benchmarks/external.py
    own = [(line, row) for line, row in zip(external.measurements(), rows) if line["model"][:4] == "zoo:"]
    assert len(own) >= 5
    for line, row in own:
        graph = external.graph(line["model"], int(line["input"]))
        report = load_latency_predictor(line["predictor"]).profile(graph)
        assert row["predicted ms"] == round(report.latency_ms, 2)
        assert row["90 % interval"] == "{:.4g} to {:.4g}".format(*report.interval_ms)
