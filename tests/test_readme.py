"""What the README promises about the command is what the command takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

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
