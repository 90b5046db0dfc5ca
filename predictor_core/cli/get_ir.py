"""``nn-meter get_ir``: models in, nn-Meter IR files out."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from predictor_core.cli.arguments import add_reading
from predictor_core.cli.console import FAILED, UsageError, describe, log, result
from predictor_core.cli.models import Source, add_models, reading_options, requested
from predictor_core.files import output_path
from predictor_core.text import printable


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
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
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from predictor_core.frontends.nnmeter_ir import dump
    from predictor_core.frontends.nnmeter_ir.export import model_file_to_graph

    sources = requested(arguments)
    targets = _targets(sources, arguments.output)
    options = reading_options(arguments, sources)
    inputs: list[str | Path] = []
    for source in sources:
        inputs += [source.path, *_side_files(source)]
    failed = False
    for source, target in zip(sources, targets):
        try:
            if source.error is not None:
                raise source.error
            # Refused before the work of converting.
            output_path(target, overwrite=arguments.force, inputs=inputs)
            document = model_file_to_graph(source.path, source.model_type, **options)
            dump(document, target, overwrite=arguments.force, inputs=inputs)
        except Exception as error:  # noqa: BLE001 - one bad model must not stop the others
            failed = True
            log(f"error: {source.failed(describe(error, arguments.debug))}")
            continue
        result(f"[RESULT] nn-Meter IR of {source.label}: {printable(str(target))}")
    return FAILED if failed else 0


def _side_files(source: Source) -> list[Path]:
    """Return the files that a model keeps its weights in."""
    if source.model_type == "openvino":
        return [Path(source.path).with_suffix(".bin")]
    if source.model_type == "onnx":
        from predictor_core.frontends.onnx.file import external_files

        return external_files(Path(source.path))
    return []


def _targets(sources: Sequence[Source], output: str | None) -> list[Path]:
    """Return the file that each model becomes.

    Raises
    ------
    UsageError
        When several models would become one file.
    """
    folder = None
    if output is not None:
        folder = Path(output)
        if len(sources) > 1 and folder.is_file():
            raise UsageError(f"--output {output} is a file, but there are {len(sources)} models to write")
        if len(sources) == 1 and not folder.is_dir() and not output.endswith(("/", os.sep)):
            return [folder]
    targets = [_target(Path(source.path), source.model_type, folder) for source in sources]
    first: dict[Path, str] = {}
    for source, target in zip(sources, targets):
        # Letters of another case are another file on some systems only.
        key = Path(os.path.abspath(target).lower())
        if key in first:
            raise UsageError(
                f"{first[key]} and {source.path} would both be written to {target}; convert them one by one "
                "with different --output"
            )
        first[key] = source.path
    return targets


def _target(path: Path, model_type: str, folder: Path | None) -> Path:
    stem = path.name if path.is_dir() else path.stem
    return (path.parent if folder is None else folder) / f"{stem}_{model_type}_ir.json"
