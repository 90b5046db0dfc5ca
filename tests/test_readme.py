"""What the README says about the command and the accuracy holds."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from predictor_core import __version__
from predictor_core.cli.main import build_parser

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
COMMANDS = [
    command.strip()
    for block in BLOCKS
    for line in block.splitlines()
    for command in line.split("&&")
    if command.strip().startswith("nn-meter ")
]


def test_it_opens_with_two_commands() -> None:
    assert README.splitlines()[2] == "```bash"
    assert len(BLOCKS[0].splitlines()) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str) -> None:
    arguments = build_parser().parse_args(shlex.split(command)[1:])
    assert arguments.list_predictors or arguments.command


def test_it_names_every_environment_variable() -> None:
    packages = (Path(__file__).parents[1] / name for name in ("predictor_core", "nnmeter_nni"))
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
    root = Path(__file__).parents[1]
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert 'path = "predictor_core/__init__.py"' in project
    assert f"## {__version__}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_accuracy_table_is_that_of_the_benchmark() -> None:
    results = Path(__file__).parents[1] / "benchmarks" / "results" / "accuracy.json"
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
