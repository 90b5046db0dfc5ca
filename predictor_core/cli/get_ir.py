"""``nn-meter get_ir``: models in, nn-Meter IR files out."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from predictor_core.cli.console import FAILED, UsageError, describe, log
from predictor_core.cli.models import input_shapes, requested
from predictor_core.frontends.nnmeter_ir.export import model_file_to_graph


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    model_type, sources = requested(arguments)
    output = Path(arguments.output) if arguments.output else None
    if output is not None and len(sources) > 1 and output.is_file():
        raise UsageError(f"--output {output} is a file, but there are {len(sources)} models to write")
    shapes = input_shapes(arguments.input_shape)
    options: dict[str, Any] = {} if shapes is None else {"input_shape": shapes}
    failed = False
    for source in sources:
        try:
            if source.error is not None:
                raise source.error
            document = model_file_to_graph(source.path, model_type, **options)
            target = _target(Path(source.path), model_type, output, len(sources) > 1)
            _write(target, json.dumps(document, indent=4))
        except Exception as error:  # noqa: BLE001 - one bad model must not stop the others
            failed = True
            log(f"error: {source.label}: {describe(error, arguments.debug)}")
            continue
        print(f"[RESULT] nn-Meter IR of {source.label}: {target}")
    return FAILED if failed else 0


def _target(path: Path, model_type: str, output: Path | None, several: bool) -> Path:
    default = f"{path.stem if path.is_file() else path.name}_{model_type}_ir.json"
    if output is None:
        return path.parent / default
    if several or output.is_dir():
        return output / default
    return output


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Moved into place, so that a reader never sees half a file.
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
