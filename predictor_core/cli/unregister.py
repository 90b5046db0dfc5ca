"""``nn-meter unregister``: a predictor of the user's own leaves the list; its files stay."""

from __future__ import annotations

import argparse
from typing import Any

from predictor_core.catalog.register import unregister_predictor


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser("unregister", help="forget a predictor of your own")
    parser.add_argument("--predictor", required=True, metavar="NAME", help="its name")
    parser.add_argument(
        "--predictor-version", metavar="VERSION", help="needed where several versions are registered"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    entry = unregister_predictor(arguments.predictor, arguments.predictor_version)
    print(f"[RESULT] unregistered {entry['name']}: version={entry['version']}")
    return 0
