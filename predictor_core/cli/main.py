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
from predictor_core.cli import (
    check,
    compare,
    completion,
    console,
    devices,
    get_ir,
    learn,
    listing,
    measure,
    measurements,
    plan,
    predict,
    register,
    unregister,
)
from predictor_core.errors import suggestion
from predictor_core.text import one_line

_DESCRIPTION = "Predict the latency of neural networks on mobile and edge devices."
#: The subcommands, in the order of the help: each module adds its arguments, and runs when it is chosen.
_COMMANDS = (
    predict,
    get_ir,
    listing,
    devices,
    learn,
    register,
    unregister,
    measure,
    measurements,
    plan,
    compare,
    check,
    completion,
)


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
        return listing.list_predictors(arguments.verbose, as_json=False)
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
    for command in _COMMANDS:
        added = command.add(commands)
        _add_common(added)
        added.set_defaults(run=command.run)
    commands.choices["completion"].set_defaults(root=parser)
    parser.commands = commands.choices
    return parser


def _add_common(parser: argparse.ArgumentParser, root: bool = False) -> None:
    """Add the flags of every command, which stand before the subcommand (`root`) or behind it."""
    # The defaults of a subcommand must not undo what stood before it.
    default: Any = False if root else argparse.SUPPRESS
    parser.add_argument("-v", "--verbose", action="store_true", default=default, help="say more")
    parser.add_argument(
        "--debug", action="store_true", default=default, help="show the traceback of an unexpected error"
    )


if __name__ == "__main__":
    sys.exit(main())
