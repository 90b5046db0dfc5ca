"""``nn-meter check``: a gate for continuous integration that models above a limit do not pass."""

from __future__ import annotations

import argparse
import os
from typing import Any

from predictor_core.cli.arguments import add_prediction, positive_ms, share
from predictor_core.cli.console import FAILED, UsageError


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="fail when a model is too slow",
        description="Hold models against a largest latency, a baseline or both; the exit status is 1 when "
        "any of them breaks a limit.",
    )
    add_prediction(parser)
    parser.add_argument("--max-ms", type=positive_ms, metavar="MS", help="largest latency")
    parser.add_argument(
        "--baseline", metavar="FILE", help="what nn-meter predict --json has printed for older models"
    )
    parser.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help="how much slower than the baseline a model may be, such as 3%% (default: 0%%)",
    )
    parser.add_argument("--junit", metavar="FILE", help="write the verdicts as JUnit XML")
    parser.add_argument(
        "--github",
        action="store_true",
        default=os.environ.get("GITHUB_ACTIONS") == "true",
        help="print annotations of GitHub Actions (default: there)",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if arguments.max_ms is None and arguments.baseline is None:
        raise UsageError("nothing to check against; expected --max-ms, --baseline or both")
    if arguments.tolerance is not None and arguments.baseline is None:
        raise UsageError("--tolerance goes with --baseline")
    from predictor_core.cli.predict import reports_of
    from predictor_core.files import output_path, write_atomically
    from predictor_core.predictor.saved import read_reports
    from predictor_core.views.gate import Verdict, annotation, check, junit

    baseline = None if arguments.baseline is None else read_reports(arguments.baseline)
    answers = reports_of(arguments)
    inputs = [answer.source.path for answer in answers]
    inputs += [arguments.baseline] if arguments.baseline else []
    if arguments.junit:
        output_path(arguments.junit, inputs=inputs)
    judged = []
    for answer in answers:
        path = answer.source.path
        judged += [(Verdict(answer.source.label, "", (error,)), path) for error in answer.errors]
        for report in answer.reports:
            verdict = check(report, arguments.max_ms, baseline, arguments.tolerance or 0.0)
            judged.append((verdict, path))
    for verdict, path in judged:
        print(verdict)
        if arguments.github and not verdict.passed:
            print(annotation(verdict, _relative(path)))
    if arguments.junit:
        write_atomically(arguments.junit, junit([verdict for verdict, _ in judged]), inputs=inputs)
    return 0 if all(verdict.passed for verdict, _ in judged) else FAILED


def _relative(path: str) -> str:
    """Return a path below the current folder relative to it, as GitHub wants those of the checkout."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
