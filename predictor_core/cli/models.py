"""The models that a command line names: paths, folders, torchvision names, input shapes."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from predictor_core.cli.console import UsageError
from predictor_core.errors import PredictorError
from predictor_core.views.text import printable

#: flag -> (model type, ending of its files)
_FLAGS = {
    "tensorflow": ("pb", ".pb"),
    "onnx": ("onnx", ".onnx"),
    "nn_meter_ir": ("nnmeter-ir", ".json"),
    "torchvision": ("torchvision", ""),
}


@dataclass(frozen=True)
class Source:
    """One model to work on: where it is, what it is called, or why it can't be read."""

    path: str
    label: str
    error: PredictorError | None = None


def requested(arguments: argparse.Namespace) -> tuple[str, list[Source]]:
    """Return the model type and the models of the flag that was given."""
    flag = next(flag for flag in _FLAGS if getattr(arguments, flag, None) is not None)
    model_type, ending = _FLAGS[flag]
    names: Sequence[str] = getattr(arguments, flag)
    if not ending:
        return model_type, [Source(name, printable(name)) for name in names]
    sources = [source for name in names for source in _expand(Path(name), ending)]
    seen = Counter(source.label for source in sources)
    # Two models of one name in different folders are told apart by their paths.
    return model_type, [
        source if seen[source.label] == 1 else replace(source, label=printable(source.path))
        for source in sources
    ]


def _expand(path: Path, ending: str) -> list[Source]:
    if path.is_file() or (path.is_dir() and _is_saved_model(path, ending)):
        return [Source(str(path), printable(path.name))]
    if not path.is_dir():
        return [Source(str(path), printable(str(path)), PredictorError("no such file or folder"))]
    inside = sorted(
        entry
        for entry in path.iterdir()
        if (entry.suffix.lower() == ending and entry.is_file()) or _is_saved_model(entry, ending)
    )
    if not inside:
        error = PredictorError(f"the folder holds no {ending} file")
        return [Source(str(path), printable(str(path)), error)]
    return [Source(str(entry), printable(entry.name)) for entry in inside]


def _is_saved_model(path: Path, ending: str) -> bool:
    return ending == ".pb" and (path / "saved_model.pb").is_file()


def reading_options(arguments: argparse.Namespace, model_type: str) -> dict[str, Any]:
    """Return what the front end is to be told.

    Raises
    ------
    UsageError
        For an option that the model type does not have.
    """
    options: dict[str, Any] = {}
    shapes = input_shapes(arguments.input_shape)
    if shapes is not None:
        options["input_shape"] = shapes
    if arguments.signature is not None:
        if model_type != "pb":
            raise UsageError("--signature goes with --tensorflow alone")
        options["signature"] = arguments.signature
    return options


def input_shapes(words: Sequence[str] | None) -> tuple[int, ...] | list[tuple[int, ...]] | None:
    """Read ``--input-shape``: one shape, a list of several, or None when it was not given.

    ``1,3,224,224``, ``1x3x224x224`` and ``1 3 224 224`` are the same shape.

    Raises
    ------
    UsageError
        When a word is not a shape.
    """
    if words is None:
        return None
    if len(words) > 1 and all(word.isdigit() for word in words):
        words = [",".join(words)]
    shapes = []
    for word in words:
        parts = word.strip("[]()").lower().replace("x", ",").split(",")
        if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
            raise UsageError(f"--input-shape: expected positive numbers such as 1,3,224,224, got {word!r}")
        shapes.append(tuple(int(part) for part in parts))
    return shapes[0] if len(shapes) == 1 else shapes
