"""``nn-meter learn``: a device from the measured latencies of a few whole models."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor_core.cli.arguments import add_input_shape
from predictor_core.cli.console import UsageError, log
from predictor_core.cli.models import input_shapes
from predictor_core.errors import LearningError, OutputError
from predictor_core.files import HEADER_FILE

if TYPE_CHECKING:
    from predictor_core.learning.models import Read
    from predictor_core.predictor.learned import LearnedPredictor


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
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
    add_input_shape(parser, "of rows that name none")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from predictor_core.catalog.register import register_predictor
    from predictor_core.catalog.registry import check_name
    from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
    from predictor_core.learning.choice import candidates
    from predictor_core.learning.models import read_models, refuse_contradictions
    from predictor_core.measuring.measurements import read_measurements

    check_name(arguments.name)
    shape = input_shapes(arguments.input_shape) or DEFAULT_INPUT_SHAPE
    read = read_models(read_measurements(arguments.measurements, shape))
    for one in read.unreadable:
        log(f"left out, row {one.row}: {one.model}: {one.reason}")
    if len(read.corpus) < 1:
        raise LearningError(f"none of the models of {arguments.measurements} can be read")
    like = None if arguments.like == ["auto"] else arguments.like
    refuse_contradictions(read, candidates(like)[0].rules)
    folders = _folders(arguments, list(read.latency_ms))
    learned = _learn(arguments, read, like)
    for environment, predictor in learned.items():
        folder = predictor.save(folders[environment])
        _show(predictor)
        print(f"[RESULT] learned {predictor.name}: {_summary(predictor)}, written to {folder}")
        if arguments.register:
            entry = register_predictor(folder)
            print(f"[RESULT] registered {entry['name']}: version={entry['version']}")
    return 0


def _folders(arguments: argparse.Namespace, environments: list[str]) -> dict[str, Path]:
    """Return where each environment goes; refused before the work where it must not be written."""
    root = Path(arguments.output or arguments.name)
    folders = {
        one: root if len(environments) == 1 else root / _name(arguments.name, one) for one in environments
    }
    for folder in folders.values():
        if (
            folder.exists()
            and not (folder / HEADER_FILE).is_file()
            and (not folder.is_dir() or any(folder.iterdir()))
        ):
            raise OutputError(f"{folder} exists and holds no learned predictor; name another --output")
    return folders


def _name(name: str, environment: str) -> str:
    label = f"{name}_{environment}" if environment else name
    if any(char in label for char in "/\\\0\n"):
        raise UsageError(f"the environment {environment!r} can't be part of a name; expected no slashes")
    return label


def _learn(
    arguments: argparse.Namespace, read: Read, like: list[str] | None
) -> Mapping[str, LearnedPredictor]:
    from predictor_core.learning.joint import learn_environments
    from predictor_core.learning.learn import learn_device
    from predictor_core.learning.units import in_ms

    facts = {} if read.repeat is None else {"noise of a repeat, %": round(100.0 * read.repeat, 2)}
    if len(read.latency_ms) == 1:
        ((environment, column),) = read.latency_ms.items()
        predictor = learn_device(
            read.corpus,
            column,
            name=arguments.name,
            like=like,
            seed=arguments.seed,
            facts=facts,
            unit=arguments.unit,
        )
        return {environment: predictor}
    columns = {one: in_ms(column, arguments.unit) for one, column in read.latency_ms.items()}
    return learn_environments(
        read.corpus,
        columns,
        names={one: _name(arguments.name, one) for one in columns},
        like=like,
        seed=arguments.seed,
        facts=facts,
        check=arguments.unit is None,
    )


def _show(predictor: LearnedPredictor) -> None:
    from predictor_core.learning.card import accuracy_lines

    header = predictor.device_header
    sources = ", ".join(f"{source.name} {source.version}" for source in header.sources)
    start = header.facts.get("starts from", sources)
    print(f"{predictor.name}: {header.facts.get('models')} models, starting from {start}")
    for line in accuracy_lines(predictor.accuracy):
        print(line)
    verdict = predictor.accuracy.get("verdict")
    if verdict != "good":
        log(
            f"{predictor.name} is {verdict}: {_summary(predictor)}. Measure more models, foremost such as "
            "the worst ones above, or name another source with --like"
        )


def _summary(predictor: LearnedPredictor) -> str:
    table = predictor.accuracy["cross_validated"]
    return f"{table['within_10']} % of {table['models']} models within ±10 % when left out"
