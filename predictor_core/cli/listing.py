"""``nn-meter --list-predictors`` and ``list``: names and versions."""

from __future__ import annotations

import argparse
import json
from typing import Any

from predictor_core.catalog.lookup import entries, list_latency_predictors


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "list", help="list all predictors", description="List all predictors."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    return parser


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
