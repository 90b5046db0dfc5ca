"""Front end for Keras models: objects and files, by way of the SavedModel that Keras exports."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from predictor_core.budget import meter
from predictor_core.errors import ModelFormatError, requires
from predictor_core.frontends.tensorflow import load as load_saved_model
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes


def load(model: Any, *, input_shape: GivenShapes = None) -> Graph:
    """Convert a Keras model to a Graph, as it is deployed: in evaluation mode.

    Parameters
    ----------
    model : keras.Model or path
        A model of Keras 3 or 2, or a ``.keras`` or ``.h5`` file. Files are loaded in Keras' safe mode: those
        with lambda layers, which are code, are refused.
    input_shape : optional
        Fills what the model leaves open, channels last; see `predictor_core.ir.inputs.InputShapes`.

    Raises
    ------
    MissingDependencyError
        Without Keras, for a file, or without TensorFlow, which exports the model.
    ModelFormatError
        When Keras can't load the file or export the model.
    """
    name = Path(model).stem if isinstance(model, (str, os.PathLike)) else str(getattr(model, "name", ""))
    module = _loaded(Path(model)) if isinstance(model, (str, os.PathLike)) else model
    with requires("tensorflow", "keras", "Reading a Keras model"):
        import tensorflow as tf
    with tempfile.TemporaryDirectory() as folder:
        try:
            if hasattr(module, "export"):
                with _evaluation_mode(module):
                    _export(module, folder)
            else:
                tf.saved_model.save(module, folder)
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise ModelFormatError(
                f"Keras can't export {name or 'the model'}: {first}; build it with its input's shape first"
            ) from error
        meter().restart()
        graph = load_saved_model(folder, input_shape=input_shape)
    return Graph(graph.nodes, name, graph.outputs, graph.free, graph.warnings)


def _export(module: Any, folder: str) -> None:
    """Write a SavedModel; for the batch that the model is built for, where it takes no other."""
    try:
        module.export(folder, verbose=False)
    except ValueError:
        inputs = list(getattr(module, "inputs", None) or ())
        if not inputs or any(dim is None for one in inputs for dim in one.shape):
            raise
        import keras

        # Layers that keep their state from call to call have a tensor for one batch alone.
        specs = [keras.InputSpec(shape=one.shape, dtype=one.dtype) for one in inputs]
        module.export(folder, verbose=False, input_signature=specs if len(specs) == 1 else [specs])


@contextmanager
def _evaluation_mode(module: Any) -> Iterator[None]:
    """Have Keras export a model as it is deployed.

    Keras takes the default of the first layer that has one for all that follow: behind a layer of
    augmentation or resizing, normalisation would compute its statistics anew.
    """
    object.__setattr__(module, "__call__", partial(module.__call__, training=False))
    try:
        yield
    finally:
        object.__delattr__(module, "__call__")


def _loaded(path: Path) -> Any:
    purpose = "Reading a .keras or .h5 file (or export a SavedModel, .tflite or .onnx, which need none)"
    with requires("keras", "keras", purpose):
        import keras
    if not path.is_file():
        raise ModelFormatError(f"{path}: no such file")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise ModelFormatError(f"{path}: Keras can't load it: {first}") from error
