"""Options that several subcommands have, and types of arguments."""

from __future__ import annotations

import argparse

from predictor_core.cli.models import add_models
from predictor_core.measuring.runtimes import RUNTIMES


def add_prediction(parser: argparse.ArgumentParser) -> None:
    """Add what every command that predicts takes: models and how they are read, predictors, strictness."""
    add_models(parser)
    parser.add_argument(
        "--predictor",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME",
        help="one or several predictors, quoted patterns such as 'pixel4*', or 'all'",
    )
    parser.add_argument("--predictor-version", metavar="VERSION", help="default: the latest")
    add_reading(parser)
    parser.add_argument("--strict", action="store_true", help="refuse what no measurement supports")


def add_input_shape(
    parser: argparse.ArgumentParser,
    help: str = "shape of each input, such as 1,3,224,224: for torchvision models and open dimensions",
) -> None:
    """Add the option that `predictor_core.cli.models.input_shapes` reads."""
    parser.add_argument("--input-shape", nargs="+", metavar="SHAPE", help=help)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how models are read."""
    add_input_shape(parser)
    parser.add_argument(
        "--signature",
        metavar="NAME",
        help="signature of a TensorFlow SavedModel (default: serving_default, or the only one)",
    )


def add_runtime(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the option that names one of `predictor_core.measuring.runtimes`."""
    parser.add_argument(
        "--runtime",
        default="onnxruntime",
        choices=tuple(RUNTIMES),
        help=f"{help} (default: onnxruntime)",
    )


def positive(text: str) -> int:
    """Read a positive whole number."""
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected a positive whole number, got {text!r}")
    return count


def number(text: str) -> float:
    """Read a number; what is none becomes NaN, which no range holds."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def positive_ms(text: str) -> float:
    """Read a latency in ms above 0; ``20`` and ``20ms`` are the same."""
    latency_ms = number(text.strip().lower().removesuffix("ms"))
    if not 0.0 < latency_ms < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a latency in ms above 0, got {text!r}")
    return latency_ms


def share(text: str) -> float:
    """Read a share of 0 or more: ``3%``, or ``0.03``; 1 and more need the sign, for ``3`` rarely is 300 %."""
    in_percent = text.strip().endswith("%")
    found = number(text.rstrip(" %")) / (100.0 if in_percent else 1.0)
    if not 0.0 <= found < (float("inf") if in_percent else 1.0):
        raise argparse.ArgumentTypeError(f"expected a share such as 3% or 0.03, got {text!r}")
    return found
