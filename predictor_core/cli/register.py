"""``nn-meter register``: a predictor of the user's own joins the list."""

from __future__ import annotations

import argparse
from typing import Any

from predictor_core.catalog.register import register_predictor
from predictor_core.cli.arguments import add_common


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("register", help="add a predictor of your own")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("folder", nargs="?", help="folder of a learned predictor, or a meta file")
    given.add_argument("--predictor", metavar="META.yaml", help="its meta file, or its folder")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    entry = register_predictor(arguments.predictor or arguments.folder)
    print(f"[RESULT] registered {entry['name']}: version={entry['version']}")
    return 0
