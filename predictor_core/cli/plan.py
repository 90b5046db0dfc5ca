"""``nn-meter plan``: which models to time so that the least time teaches the most."""

from __future__ import annotations

import argparse
from typing import Any

from predictor_core.cli.arguments import add_input_shape, add_runtime


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help="choose the models to time on a new device",
        description="Write the models that teach the most about a new device, in the order in which to time "
        "them, and a script that times them on a phone.",
    )
    parser.add_argument("--budget", type=int, required=True, metavar="N", help="how many models")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="where to write them")
    parser.add_argument(
        "--like", metavar="PREDICTOR", help="what the device is expected to be like (default: a phone's CPU)"
    )
    add_runtime(parser, "what is to run them here; says what to do next")
    parser.add_argument(
        "--space",
        metavar="MODULE:CLASS",
        help="search space whose models are to be predicted: an NNI model space, or a function that makes "
        "a model from a random.Random",
    )
    add_input_shape(parser, "of the space's models")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the space's samples (default: 0)"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from predictor_core.cli.console import UsageError, log
    from predictor_core.cli.models import input_shapes
    from predictor_core.files import check_output_folder
    from predictor_core.measuring.planning.folder import PHONE_SCRIPT, write_plan
    from predictor_core.measuring.planning.plan import make_plan
    from predictor_core.measuring.planning.pool import variants

    if arguments.budget < 1:
        raise UsageError(f"--budget: expected a positive number of models, got {arguments.budget}")
    check_output_folder(arguments.output)
    candidates = targets = None
    if arguments.space:
        from predictor_core.measuring.planning.space import space_samples

        shape = input_shapes(arguments.input_shape)
        targets = space_samples(arguments.space, shape, seed=arguments.seed)
        candidates = [*targets, *variants()]
    plan = make_plan(arguments.budget, arguments.like, candidates=candidates, targets=targets)
    formats = write_plan(plan, arguments.output)
    for each in plan:
        print(f"[PLAN] {each.name}: {each.source_ms:.4g} ms on the source, then ±{each.deviation:.1%}")
    log(f"{arguments.output}: {len(plan)} models as {' and '.join(formats)}; next:")
    log(f"here: nn-meter measure {arguments.output} --runtime {arguments.runtime} --output measurements.csv")
    if "tflite" in formats:
        log(f"on a phone: {arguments.output}/{PHONE_SCRIPT} path/to/benchmark_model")
    return 0
