"""Front ends: one per model type, found by name and imported when first used."""

from __future__ import annotations

import os
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from predictor_core.errors import PredictorError
from predictor_core.ir.inputs import GivenShapes
from predictor_core.plugins import entry_points_of

if TYPE_CHECKING:
    from predictor_core.ir.graph import Graph


class Load(Protocol):
    """What a front end offers: a model in, a Graph out.

    The keyword-only parameters of its signature are the options that a caller may give.
    """

    def __call__(self, model: Any, *, input_shape: GivenShapes = None, **options: Any) -> Graph:
        """Convert `model` (a path or an object) to a Graph."""


class Frontend(NamedTuple):
    """How models of one type are recognised and read.

    Parameters
    ----------
    name : str
        The model type.
    load : str
        ``module:function`` of a `Load`, imported when first used.
    suffixes : tuple of str
        Endings of its files, in small letters.
    classes : tuple of str
        ``module.Class`` of its objects; the module is the one that the class is defined in.
    flag, metavar, help : str
        Option of the command line, "" for none, and how it is explained.
    magic : bytes
        How its files begin, where that tells; four bytes of any value first for ``b"....TFL3"``.
    mark : bytes
        What its files hold near their beginning, where files of other kinds have the same ending.
    """

    name: str
    load: str
    suffixes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    flag: str = ""
    metavar: str = "PATH"
    help: str = ""
    magic: bytes = b""
    mark: bytes = b""


#: Front ends by model type.
FRONTENDS: dict[str, Frontend] = {
    entry.name: entry
    for entry in (
        Frontend(
            "pb",
            "predictor_core.frontends.tensorflow:load",
            (".pb",),
            flag="--tensorflow",
            help=".pb files, SavedModel folders",
        ),
        Frontend(
            "onnx",
            "predictor_core.frontends.onnx:load",
            (".onnx",),
            ("onnx.onnx_ml_pb2.ModelProto", "onnx.ModelProto"),
            "--onnx",
            help=".onnx files",
        ),
        Frontend(
            "tflite",
            "predictor_core.frontends.tflite:load",
            (".tflite",),
            flag="--tflite",
            help=".tflite files",
            magic=b"....TFL3",
        ),
        Frontend(
            "openvino",
            "predictor_core.frontends.openvino:load",
            (".xml",),
            flag="--openvino",
            help=".xml files of OpenVINO IR",
            magic=b"<?xml",
            mark=b"<net",
        ),
        Frontend(
            "torch",
            "predictor_core.frontends.torch:load",
            (".pt2", ".pt", ".pth"),
            ("torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"),
            "--torch",
            help=".pt2 files of torch.export",
        ),
        Frontend(
            "keras",
            "predictor_core.frontends.keras:load",
            (".keras", ".h5", ".hdf5"),
            (
                "keras.src.models.model.Model",
                "keras.src.engine.training.Model",
                "tf_keras.src.engine.training.Model",
            ),
            "--keras",
            help=".keras and .h5 files",
            magic=b"\x89HDF\r\n\x1a\n",
        ),
        Frontend(
            "nnmeter-ir",
            "predictor_core.frontends.nnmeter_ir:load",
            (".json",),
            ("builtins.dict",),
            "--nn-meter-ir",
            help=".json files of nn-Meter IR",
            mark=b'"inbounds"',
        ),
        Frontend(
            "torchvision",
            "predictor_core.frontends.torch.torchvision:load",
            flag="--torchvision",
            metavar="NAME",
            help="names of torchvision models",
        ),
    )
}

#: Other packages add model types through this entry point group (``nni-ir`` comes from nnmeter_nni).
ENTRY_POINT_GROUP = "predictor_core.frontends"


def model_types() -> list[str]:
    """Names of the model types that can be read here."""
    return sorted({*FRONTENDS, *(point.name for point in entry_points_of(ENTRY_POINT_GROUP))})


def find(model_type: str) -> Load:
    """Return the function that reads models of a type.

    Raises
    ------
    PredictorError
        When the type is not known; the message lists those that are.
    """
    known = FRONTENDS.get(model_type)
    if known is not None:
        module, _, function = known.load.partition(":")
        load: Load = getattr(import_module(module), function)
        return load
    for point in entry_points_of(ENTRY_POINT_GROUP):
        if point.name == model_type:
            plugin: Load = point.load()
            return plugin
    raise PredictorError(f"unknown model_type {model_type!r}; expected one of {', '.join(model_types())}")


def type_of(model: Any) -> str:
    """Return the model type that the ending of a path, or the class of an object, tells.

    Raises
    ------
    PredictorError
        When they tell none; the message lists the endings that do.
    """
    if isinstance(model, (str, os.PathLike)):
        path = Path(model)
        for entry in FRONTENDS.values():
            if path.suffix.lower() in entry.suffixes:
                return entry.name
        if (path / "saved_model.pb").is_file():
            return "pb"
        endings = ", ".join(sorted(ending for entry in FRONTENDS.values() for ending in entry.suffixes))
        raise PredictorError(
            f"the ending of {str(model)!r} does not tell its model type; give model_type, one of "
            f"{', '.join(model_types())}, or a file that ends in {endings}"
        )
    classes = {f"{one.__module__}.{one.__qualname__}" for one in type(model).__mro__}
    for entry in FRONTENDS.values():
        if not classes.isdisjoint(entry.classes):
            return entry.name
    raise PredictorError(
        f"an object of type {type(model).__name__} does not tell its model type; give model_type, one of "
        f"{', '.join(model_types())}"
    )


def recognised(model: Any) -> Frontend | None:
    """Return the front end that the first bytes, or the ending, of a file speak for; None where none do."""
    if not isinstance(model, (str, os.PathLike)):
        return None
    path = Path(model)
    start = b""
    try:
        # A pipe would wait for its writer.
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(8)
    except (OSError, ValueError):
        return None
    for entry in FRONTENDS.values():
        if entry.magic and _begins(start, entry.magic):
            return entry
    return next((entry for entry in FRONTENDS.values() if path.suffix.lower() in entry.suffixes), None)


def _begins(start: bytes, magic: bytes) -> bool:
    anything = len(magic) - len(magic.lstrip(b"."))
    return start[anything : len(magic)] == magic[anything:]


def check_options(model_type: str, options: Collection[str]) -> None:
    """Refuse options that a front end does not have.

    Parameters
    ----------
    model_type : str
        Name of the front end.
    options : collection of str
        Names of the options that a caller gives.

    Raises
    ------
    PredictorError
        For an option that is not a keyword-only parameter of the front end; the message lists those that
        are, and names the one that was probably meant.
    """
    if not options:
        return
    import inspect
    from difflib import get_close_matches

    parameters = inspect.signature(find(model_type)).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            close = get_close_matches(option, known, 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise PredictorError(
                f"model type {model_type!r} has no option {option!r}; {meant}it has: {', '.join(known)}"
            )
