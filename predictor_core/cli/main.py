"""Entry point of ``nn-meter``: arguments, dispatch, exit status."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from predictor_core import __version__
from predictor_core.cli import check, compare, completion, console, measure, measurements, plan
from predictor_core.cli.arguments import add_predictors, add_reading, positive
from predictor_core.cli.models import add_models
from predictor_core.cli.views import add_views
from predictor_core.errors import suggestion
from predictor_core.text import one_line

_DESCRIPTION = "Predict the latency of neural networks on mobile and edge devices."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name. Default: those of the process.

    Returns
    -------
    int
        0; 1 when a model or the request failed; 2 for wrong usage; 130 after an interrupt.
    """
    console.accept_any_text()
    parser = build_parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as done:
        return int(done.code or 0)
    debug = arguments.debug
    try:
        status = _run(parser, arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except console.UsageError as error:
        console.log(f"error: {error}")
        return console.USAGE
    except KeyboardInterrupt:
        console.log("interrupted")
        return console.INTERRUPTED
    except BrokenPipeError:
        # The reader is gone; what is left in the buffer must not be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return console.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last resort of a command: one line, never a traceback
        console.log(f"error: {console.describe(error, debug)}")
        return console.FAILED


def _run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    if arguments.list_predictors:
        from predictor_core.cli.listing import list_predictors

        return list_predictors(verbose=arguments.verbose, as_json=False)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return console.USAGE
    status: int = arguments.run(arguments)
    return status


class _Parser(argparse.ArgumentParser):
    """An argument parser that suggests options and subcommands for misspelt ones."""

    #: Parsers of the subcommands.
    commands: Mapping[str, argparse.ArgumentParser] = MappingProxyType({})
    _words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with argparse's message and the names that are close to unknown words."""
        command = re.search(r"argument COMMAND: invalid choice: '([^']*)'", message)
        if command:
            message += suggestion(command[1], self.commands)
        else:
            parsers = (self, *self.commands.values())
            options = {
                option for parser in parsers for option in re.findall(r"--[a-z][a-z-]*", parser.format_help())
            }
            for word in dict.fromkeys(word.partition("=")[0] for word in self._words):
                if re.fullmatch(r"--[a-z][a-z-]*", word) and not any(o.startswith(word) for o in options):
                    message += suggestion(word, options).replace("did you", f"for {word}, did you")
        super().error(one_line(message))


def build_parser() -> argparse.ArgumentParser:
    """Return the argument parser of the command and its subcommands."""
    parser = _Parser(prog="nn-meter", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"nn-meter {__version__}")
    parser.add_argument(
        "--list-predictors", action="store_true", help="list all predictors and their versions"
    )
    _add_common(parser, root=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_predict(commands)
    _add_get_ir(commands)
    _add_listings(commands)
    _add_learn(commands)
    _add_registry(commands)
    for command in (measure, measurements, plan, compare, check, completion):
        command.add(commands, _add_common)
    commands.choices["completion"].set_defaults(root=parser)
    parser.commands = commands.choices
    return parser


def _add_common(parser: argparse.ArgumentParser, root: bool = False) -> None:
    # The flags stand before and after the subcommand; its defaults must not undo what stood before.
    default: Any = False if root else argparse.SUPPRESS
    parser.add_argument("-v", "--verbose", action="store_true", default=default, help="say more")
    parser.add_argument(
        "--debug", action="store_true", default=default, help="show the traceback of an unexpected error"
    )


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        aliases=["lat_pred"],
        help="predict the latency of models",
        description="Predict the latency of models. A folder means every model in it.",
    )
    add_predictors(parser)
    add_models(parser)
    add_reading(parser)
    parser.add_argument("--strict", action="store_true", help="refuse what no measurement supports")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="worker processes (default: 1)")
    add_views(parser)
    _add_common(parser)
    parser.set_defaults(run=_predict)


def _add_get_ir(commands: Any) -> None:
    parser = commands.add_parser(
        "get_ir",
        help="convert models to nn-Meter IR",
        description="Convert models to nn-Meter IR. A folder means every model in it.",
    )
    add_models(parser)
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="file to write, or folder for several models (default: NAME_<type>_ir.json beside the model)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that exist, never an input")
    add_reading(parser)
    _add_common(parser)
    parser.set_defaults(run=_get_ir)


def _add_listings(commands: Any) -> None:
    parser = commands.add_parser("list", help="list all predictors", description="List all predictors.")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    _add_common(parser)
    parser.set_defaults(run=_list)
    parser = commands.add_parser(
        "devices",
        help="list and describe the devices",
        description="List the devices; with words those that have all of them, with names their whole cards.",
    )
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="names, or words and quoted patterns: pixel4 int8 'cortex*'"
    )
    parser.add_argument("--json", action="store_true", help="print the cards as one JSON array")
    _add_common(parser)
    parser.set_defaults(run=_devices)


def _add_learn(commands: Any) -> None:
    parser = commands.add_parser(
        "learn",
        help="learn a device from measured models",
        description="Learn a device from the measured latencies of a few whole models.",
    )
    parser.add_argument(
        "measurements",
        metavar="measurements.csv",
        help="columns model (a path relative to the file, or a torchvision name) and latency_ms; optional "
        "std_ms, model_type, input_shape, environment",
    )
    parser.add_argument("--name", required=True, help="name of the device")
    parser.add_argument(
        "--like",
        nargs="+",
        metavar="PREDICTOR",
        default=["auto"],
        help="predictor(s) to start from; of several the best is chosen (default: auto, out of all)",
    )
    parser.add_argument("--output", metavar="FOLDER", help="folder to write (default: the name)")
    parser.add_argument("--register", action="store_true", help="make the predictor known by its name")
    parser.add_argument(
        "--unit", choices=("ms", "us", "s"), help="unit of latency_ms after all (default: ms, checked)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the cross-validation (default: 0)")
    parser.add_argument("--input-shape", nargs="+", metavar="SHAPE", help="of rows that name none")
    _add_common(parser)
    parser.set_defaults(run=_learn)


def _add_registry(commands: Any) -> None:
    parser = commands.add_parser("register", help="add a predictor of your own")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("folder", nargs="?", help="folder of a learned predictor, or a meta file")
    given.add_argument("--predictor", metavar="META.yaml", help="its meta file, or its folder")
    _add_common(parser)
    parser.set_defaults(run=_register)
    parser = commands.add_parser("unregister", help="forget a predictor of your own")
    parser.add_argument("--predictor", required=True, metavar="NAME", help="its name")
    parser.add_argument(
        "--predictor-version", metavar="VERSION", help="needed where several versions are registered"
    )
    _add_common(parser)
    parser.set_defaults(run=_unregister)


def _predict(arguments: argparse.Namespace) -> int:
    from predictor_core.cli.predict import run

    return run(arguments)


def _get_ir(arguments: argparse.Namespace) -> int:
    from predictor_core.cli.get_ir import run

    return run(arguments)


def _list(arguments: argparse.Namespace) -> int:
    from predictor_core.cli.listing import list_predictors

    return list_predictors(verbose=arguments.verbose, as_json=arguments.json)


def _devices(arguments: argparse.Namespace) -> int:
    from predictor_core.cli.devices import list_devices

    return list_devices(arguments.words, as_json=arguments.json)


def _learn(arguments: argparse.Namespace) -> int:
    from predictor_core.cli.learn import run

    return run(arguments)


def _register(arguments: argparse.Namespace) -> int:
    from predictor_core.cli.registry import register

    return register(arguments.predictor or arguments.folder)


def _unregister(arguments: argparse.Namespace) -> int:
    from predictor_core.cli.registry import unregister

    return unregister(arguments.predictor, arguments.predictor_version)


if __name__ == "__main__":
    sys.exit(main())
