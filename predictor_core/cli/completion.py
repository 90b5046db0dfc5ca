"""``nn-meter completion``: a script that completes the command in a shell."""

from __future__ import annotations

import argparse
from typing import Any

from predictor_core.errors import requires

SHELLS = ("bash", "zsh", "fish")


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "completion",
        help="print a completion script for a shell",
        description='Print a completion script, for example for bash: eval "$(nn-meter completion bash)".',
    )
    parser.add_argument("shell", choices=SHELLS)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    with requires("shtab", "completion", "Shell completion"):
        import shtab
    print(shtab.complete(arguments.root, shell=arguments.shell))
    return 0
