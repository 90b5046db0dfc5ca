"""``nn-meter compare``: what makes one model faster or slower than another."""

from __future__ import annotations

import argparse
import json
from typing import Any

from predictor_core.cli.arguments import add_prediction, positive
from predictor_core.cli.console import FAILED, UsageError, log, width


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="compare the latency of models",
        description="Compare the latency of models with that of the first: total, by kernel type, by module.",
    )
    add_prediction(parser)
    parser.add_argument(
        "--depth", type=positive, default=2, metavar="N", help="levels of modules to tell apart (default: 2)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from predictor_core.cli.predict import reports_of
    from predictor_core.views.comparison import compare, comparison_text

    answers = reports_of(arguments)
    if len(answers) < 2:
        raise UsageError(f"expected at least two models to compare, got {len(answers)}")
    errors = [answer.source.failed(error) for answer in answers for error in answer.errors]
    for error in errors:
        log(f"error: {error}")
    first, *others = answers
    old = {(report.predictor, report.version): report for report in first.reports}
    comparisons = [
        compare(old[report.predictor, report.version], report, arguments.depth)
        for answer in others
        for report in answer.reports
        if (report.predictor, report.version) in old
    ]
    if arguments.json:
        print(json.dumps([one.to_dict() for one in comparisons], indent=2, default=str))
    elif comparisons:
        texts = []
        for one in comparisons:
            texts.append(
                f"{one.before.model} -> {one.after.model} on {one.after.predictor} {one.after.version}\n"
                + comparison_text(one, width())
            )
        print("\n\n".join(texts))
    return FAILED if errors else 0
