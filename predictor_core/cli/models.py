"""The models that a command line names: paths, folders, torchvision names, input shapes."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from predictor_core.cli.console import UsageError
from predictor_core.errors import PredictorError
from predictor_core.frontends import FRONTENDS, Frontend, type_of
from predictor_core.text import printable

#: Types whose models may hold several functions.
_SIGNED = frozenset({"pb", "tflite"})
#: Bytes of a file in which the mark of its type stands, if it is one.
_HEAD = 2**16
_ENDINGS = tuple([ending for entry in FRONTENDS.values() for ending in entry.suffixes])


class Source(NamedTuple):
    """One model to work on: where it is, what it is called, or why it can't be read."""

    path: str
    label: str
    model_type: str = ""
    error: PredictorError | None = None

    def failed(self, error: str) -> str:
        """Return an error behind the name of the model, without the path, which many repeat."""
        path = printable(self.path)
        if error.startswith(f"{path} is "):
            error = f"it{error[len(path) :]}"
        return f"{self.label}: {error.removeprefix(f'{path}: ')}"


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the options that name models: paths of any type, or one option a type."""
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="files and folders of any type, told by their endings"
    )
    group = parser.add_mutually_exclusive_group()
    for entry in _flagged():
        group.add_argument(entry.flag, nargs="+", metavar=entry.metavar, help=entry.help)


def requested(arguments: argparse.Namespace) -> list[Source]:
    """Return the models that were named.

    Raises
    ------
    UsageError
        When none is named, or some by a flag and others without.
    """
    flag = next((entry for entry in _flagged() if _words(arguments, entry) is not None), None)
    if flag is None:
        _take_back(arguments)
    bare: list[str] = getattr(arguments, "models", None) or []
    names = bare if flag is None else _words(arguments, flag) or []
    if flag is not None and bare:
        raise UsageError(f"{bare[0]} is named beside {flag.flag}; put all models behind it, or leave it out")
    if not names:
        flags = " ".join(entry.flag for entry in _flagged())
        predictors = getattr(arguments, "predictor", None)
        last = predictors[-1] if isinstance(predictors, list) and len(predictors) > 1 else None
        raise UsageError(
            f"one of the arguments {flags} is required, or files and folders without one"
            + (f"; {last!r} counts as a predictor, for there is no such file" if last is not None else "")
        )
    if flag is not None and not flag.suffixes:
        return [Source(name, printable(name), flag.name) for name in names]
    sources = [source for name in names for source in _expand(Path(name), flag)]
    seen = Counter(source.label for source in sources)
    # Two models of one name in different folders are told apart by their paths.
    return [
        source if seen[source.label] == 1 else source._replace(label=printable(source.path))
        for source in sources
    ]


def _flagged() -> list[Frontend]:
    return [entry for entry in FRONTENDS.values() if entry.flag]


def _words(arguments: argparse.Namespace, frontend: Frontend) -> list[str] | None:
    """Return what stands behind the flag of a front end; None where it is not given."""
    words: list[str] | None = getattr(arguments, frontend.flag.lstrip("-").replace("-", "_"), None)
    return words


def _take_back(arguments: argparse.Namespace) -> None:
    """Give the paths behind ``--predictor NAME...``, which takes all words that follow, to the models."""
    words = getattr(arguments, "predictor", None)
    if not arguments.models and isinstance(words, list):
        count = len(words)
        while count > 1 and _is_path(words[count - 1]):
            count -= 1
        arguments.predictor, arguments.models = words[:count], words[count:]


def _is_path(word: str) -> bool:
    path = Path(word)
    return os.sep in word or path.exists() or path.suffix.lower() in _ENDINGS


def _expand(path: Path, frontend: Frontend | None) -> list[Source]:
    """Return the model of a path, or those of a folder; of one type, or of the type that its ending tells."""
    try:
        return _found(path, frontend)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return [_unreadable(path, str(path), f"it can't be read: {reason}")]


def _unreadable(path: Path, label: str, reason: str) -> Source:
    return Source(str(path), printable(label), error=PredictorError(reason))


def _found(path: Path, frontend: Frontend | None) -> list[Source]:
    label = printable(path.name)
    if path.is_file() or (path.is_dir() and _type_inside(path, frontend) is not None):
        try:
            return [Source(str(path), label, frontend.name if frontend else type_of(path))]
        except PredictorError as unclear:
            return [Source(str(path), label, error=unclear)]
    if not path.is_dir():
        what = "it is a link to nothing" if path.is_symlink() else "no such file or folder"
        return [_unreadable(path, str(path), what)]
    endings = _ENDINGS if frontend is None else frontend.suffixes
    sources = []
    for entry in sorted(path.iterdir()):
        try:
            name = _type_inside(entry, frontend)
            if name is not None:
                sources.append(Source(str(entry), printable(entry.name), name))
            elif not entry.exists() and entry.suffix.lower() in endings:
                sources.append(_unreadable(entry, entry.name, "it is a link to nothing"))
        except OSError as error:
            sources.append(_unreadable(entry, entry.name, f"it can't be read: {error.strerror or error}"))
    return sources or [_unreadable(path, str(path), f"the folder holds no {' or '.join(endings)} file")]


def _type_inside(entry: Path, frontend: Frontend | None) -> str | None:
    """Return the model type of an entry of a folder; None for what is no model of the wanted type."""
    candidates = FRONTENDS.values() if frontend is None else [frontend]
    if entry.is_dir():
        return "pb" if (entry / "saved_model.pb").is_file() and FRONTENDS["pb"] in candidates else None
    if not entry.is_file():
        return None
    found = next((one for one in candidates if entry.suffix.lower() in one.suffixes), None)
    # Reports, configurations and the like stand beside models of any type.
    return None if found is None or (frontend is None and not _has_mark(entry, found.mark)) else found.name


def _has_mark(path: Path, mark: bytes) -> bool:
    """Whether a file may be a model; an empty one may."""
    if not mark:
        return True
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return mark in head or not head


def reading_options(arguments: argparse.Namespace, sources: Sequence[Source]) -> dict[str, Any]:
    """Return what the front ends are to be told.

    Raises
    ------
    UsageError
        For an option that a model type does not have.
    """
    options: dict[str, Any] = {}
    shapes = input_shapes(arguments.input_shape)
    if shapes is not None:
        options["input_shape"] = shapes
    if arguments.signature is not None:
        if any(source.model_type not in _SIGNED for source in sources if source.error is None):
            raise UsageError("--signature goes with SavedModel folders and .tflite files alone")
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
