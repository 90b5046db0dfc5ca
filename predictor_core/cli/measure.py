"""``nn-meter measure``: models in, latencies of this machine out."""

from __future__ import annotations

import argparse
from typing import Any

from predictor_core.cli.arguments import add_input_shape, add_runtime, number, positive

#: No time that is given is this long (s).
_LONGEST = 1e9


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "measure",
        help="time models on this machine",
        description="Time models on this machine. A folder means every model in it that the runtime takes, "
        "in the order of its plan if `nn-meter plan` wrote it; a word that is no file, a torchvision model.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="files, folders, torchvision names")
    add_runtime(parser, "what runs them")
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--output",
        metavar="FILE.csv",
        help="measurements file to add rows to; models that it has for this environment are not timed again",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=3.0, metavar="S", help="time for each model (default: 3)"
    )
    parser.add_argument(
        "--minutes", type=_seconds, metavar="M", help="time for all models; run again to go on with the rest"
    )
    parser.add_argument(
        "--wait",
        type=_seconds_or_zero,
        default=10.0,
        metavar="S",
        help="time to wait for each model while other work slows the processor; 0: never wait (default: 10)",
    )
    parser.add_argument(
        "--repeats",
        type=positive,
        default=1,
        metavar="N",
        help="how often all models are timed, in turn, so that a busy minute spoils one figure (default: 1)",
    )
    add_input_shape(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from predictor_core.cli.console import FAILED, Progress, describe, log
    from predictor_core.cli.models import input_shapes
    from predictor_core.measuring.campaign import listed_models, measure_models
    from predictor_core.measuring.runtimes import find

    models = listed_models(arguments.models, find(arguments.runtime))
    outcomes = measure_models(
        models,
        arguments.output,
        arguments.runtime,
        arguments.threads,
        input_shape=input_shapes(arguments.input_shape),
        budget_s=arguments.seconds,
        wait_s=arguments.wait,
        repeats=arguments.repeats,
        total_s=None if arguments.minutes is None else 60.0 * arguments.minutes,
    )
    done = failed = known = 0
    total = len(models) * arguments.repeats
    with Progress(total) as progress:
        for outcome in outcomes:
            done += 1
            progress.step()
            with progress.aside():
                if outcome.error is not None:
                    failed += 1
                    total -= arguments.repeats - 1
                    told = describe(outcome.error, arguments.debug).removeprefix(f"{outcome.model}: ")
                    log(f"error: {outcome.model}: {told}")
                    continue
                if outcome.measurement is None:
                    known += 1
                    if arguments.verbose:
                        log(f"{outcome.model}: measured before")
                    continue
                measured = outcome.measurement
                print(
                    f"[RESULT] measured latency for {outcome.model}: {measured.latency_ms:.6g} ms", flush=True
                )
                if arguments.verbose:
                    log(f"{outcome.model}: std {measured.std_ms:.3g} ms, {measured.runs} runs")
                for warning in measured.warnings:
                    log(f"warning: {outcome.model}: {warning}")
    if known and not arguments.verbose:
        log(f"{known} of {done} timings are from before, in {arguments.output}")
    if done < total:
        log(f"the time is used up after {done} of {total} timings; run the command again for the rest")
    if arguments.output and done > failed:
        log(f"{arguments.output}: next, nn-meter learn {arguments.output} --name NAME")
    return FAILED if failed else 0


def _seconds(text: str) -> float:
    value = number(text)
    if not 0.0 < value < _LONGEST:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def _seconds_or_zero(text: str) -> float:
    value = number(text)
    if not 0.0 <= value < _LONGEST:
        raise argparse.ArgumentTypeError(f"expected 0 or a positive number, got {text!r}")
    return value
