"""``nn-meter --list-predictors`` and ``list``: names and versions."""

from __future__ import annotations

import argparse
import json
from typing import Any

from predictor_core.catalog.lookup import entries, list_latency_predictors
from predictor_core.cli.arguments import add_common


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("list", help="list all predictors", description="List all predictors.")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    return list_predictors(arguments.verbose, arguments.json)


def list_predictors(verbose: bool, as_json: bool) -> int:
    """Print every predictor and version; `verbose` adds category and origin."""
    if as_json:
        print(json.dumps(list_latency_predictors(), indent=2, default=str))
        return 0
    for entry in entries():
        line = f"[Predictor] {entry['name']}: version={entry['version']}"
        if verbose:
            line += f", category={entry['category']}, {_origin(entry)}"
        print(line)
    return 0


def _origin(entry: dict[str, Any]) -> str:
    if "pack" in entry:
        return "embedded"
    if "download" in entry:
        return f"downloaded on first use from {entry['download']}"
    return "your own"
