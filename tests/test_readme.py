"""What the README says about variables and accuracy holds; its blocks are run by `tests.docs`."""

from __future__ import annotations

import json
import re

from predictor_core import __version__
from tests.docs.blocks import ROOT, blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_opens_with_two_commands() -> None:
    first = blocks(ROOT / "README.md")[0]
    assert first.language == "bash"
    assert len(first.code.splitlines()) == 2


def test_it_has_one_picture() -> None:
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert (ROOT / picture).is_file()


def test_it_names_every_environment_variable() -> None:
    packages = (ROOT / name for name in ("predictor_core", "nnmeter_nni"))
    sources = [path.read_text(encoding="utf-8") for package in packages for path in package.rglob("*.py")]
    read = {
        name
        for source in sources
        for name in re.findall(r"(?:environ(?:\.get\(|\[)|getenv\()\s*\"(\w+)\"", source)
    }
    assert {"NN_METER_HOME", "NN_METER_OFFLINE"} <= read
    assert [name for name in sorted(read) if f"| `{name}` |" not in README] == []


def test_it_fits_a_page() -> None:
    assert len(README.splitlines()) < 200


def test_the_version_stands_in_one_place() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert 'path = "predictor_core/__init__.py"' in project
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_accuracy_table_is_that_of_the_benchmark() -> None:
    results = ROOT / "benchmarks" / "results" / "accuracy.json"
    figures = {
        (row["device"], row["models"], row["family"]): row
        for row in json.loads(results.read_text(encoding="utf-8"))["rows"]
    }
    lines = re.findall(r"^\| `(\w+)` \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+)% \|$", README, re.MULTILINE)
    assert len(lines) == 4
    for device, *printed in lines:
        unseen = figures[device, "unseen models", "all"]
        left_out = figures[device, "family left out", "mean"]
        exact = [unseen["within ±5 %"], unseen["within ±10 %"], left_out["within ±10 %"]]
        assert printed == [f"{figure:.1f}" for figure in exact], device
