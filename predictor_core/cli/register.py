"""``nn-meter register``: a predictor of the user's own joins the list."""

from __future__ import annotations

import argparse
from typing import Any

from predictor_core.catalog.register import register_predictor


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser("register", help="add a predictor of your own")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("folder", nargs="?", help="folder of a learned predictor, or a meta file")
    given.add_argument("--predictor", metavar="META.yaml", help="its meta file, or its folder")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    entry = register_predictor(arguments.predictor or arguments.folder)
    print(f"[RESULT] registered {entry['name']}: version={entry['version']}")
    return 0
