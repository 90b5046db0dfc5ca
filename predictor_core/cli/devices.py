"""``nn-meter devices``: a table of the devices, those that words choose, or whole cards."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from predictor_core.catalog.cards import ROUGH_BELOW, card_of, facts_of
from predictor_core.catalog.lookup import hint, match_predictors
from predictor_core.cli.console import width
from predictor_core.errors import UnknownPredictorError
from predictor_core.text import printable
from predictor_core.views.grid import grid

_HEADINGS = ("name", "chip", "cores", "precision", "runtime", "within 10 %")


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "devices",
        help="list and describe the devices",
        description="List the devices; with words those that have all of them, with names their whole cards.",
    )
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="names, or words and quoted patterns: pixel4 int8 'cortex*'"
    )
    parser.add_argument("--json", action="store_true", help="print the cards as one JSON array")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    Of words that are names of devices the whole cards are printed. Other words and patterns such as
    ``pixel4*`` choose: a device is listed when each of them is found in its name, category, hardware, chip,
    cores, precision or runtime. Case and spaces do not matter.
    """
    words = arguments.words
    latest = [{**entry, **facts_of(entry)} for entry in match_predictors(["all"])]
    known = {str(entry["name"]).lower(): entry for entry in latest}
    named = [known[word.lower()] for word in words if word.lower() in known]
    cards = bool(words) and len(named) == len(words)
    chosen = named if cards else [entry for entry in latest if all(_has(entry, word) for word in words)]
    if not chosen:
        unknown = next((word for word in words if not any(_has(entry, word) for entry in latest)), None)
        names = [str(entry["name"]) for entry in latest]
        if unknown is None:
            raise UnknownPredictorError(f"no device has all of {', '.join(words)}; leave a word out")
        raise UnknownPredictorError(f"no device has {unknown!r}{hint(unknown, names)}")
    if arguments.json:
        print(json.dumps([{**_public(entry), **card_of(entry)} for entry in chosen], indent=2, default=str))
    elif cards:
        print("\n\n".join("\n".join(_card_lines(_card(entry))) for entry in chosen))
    else:
        print(grid([_HEADINGS, *map(_row, chosen)], right=(5,), width=width()))
    return 0


def _has(entry: dict[str, Any], word: str) -> bool:
    pattern = _plain(word)
    if not any(char in pattern for char in "*?["):
        pattern = f"*{pattern}*"
    keys = ("name", "category", "chip", "cores", "precision", "runtime", "hardware")
    texts = [entry.get(key) for key in keys]
    if "hardware" not in entry:
        texts.append(card_of(entry).get("hardware"))
    return any(fnmatchcase(_plain(str(text)), pattern) for text in texts if text is not None)


def _plain(text: str) -> str:
    """Return the text without what people write differently: ``Pixel 4`` and ``pixel4``."""
    return text.lower().replace(" ", "")


def _row(entry: dict[str, Any]) -> list[str]:
    texts = [str(entry.get(key) or "") for key in ("name", "chip", "cores", "precision", "runtime")]
    accuracy = entry.get("accuracy")
    if accuracy is None:
        return [*texts, "not known"]
    return [*texts, f"{'rough: ' if accuracy < ROUGH_BELOW else ''}{accuracy:.1f} %"]


def _public(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("pack", "headers", "kernel_predictors")}


def _card(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the card, or what the list knows of a predictor without one."""
    return card_of(entry) or {"device": entry["name"], **_public(entry)}


def _card_lines(card: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Lines of a card: one a key, nested keys indented below their own."""
    longest = max((len(str(key)) for key, value in card.items() if not isinstance(value, dict)), default=0)
    for key, value in card.items():
        if isinstance(value, dict):
            yield f"{indent}{printable(str(key))}"
            yield from _card_lines(value, indent + "  ")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{indent}{printable(str(key)):<{longest}}  {printable(' '.join(text.split()))}"
