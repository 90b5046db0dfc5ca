"""Front end for TensorFlow Lite models: flatbuffers, read without TensorFlow."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from predictor_core.budget import meter, metered
from predictor_core.errors import ModelFormatError, own_errors
from predictor_core.frontends.tflite.file import read_structure
from predictor_core.frontends.tflite.graph import Walk
from predictor_core.frontends.tflite.model import Model, Signature
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.ir.passes import canonical_graph

_SIGNATURE = "serving_default"


def load(
    model: str | os.PathLike[str], *, input_shape: GivenShapes = None, signature: str | None = None
) -> Graph:
    """Convert a TensorFlow Lite model to a Graph.

    Parameters
    ----------
    model : str or path
        A ``.tflite`` file, of floats or quantised. Weights are not read.
    input_shape : optional
        Fills what the model leaves open; see `predictor_core.ir.inputs.InputShapes`. An open batch is 1.
    signature : str, optional
        Of a model with several; default ``serving_default``, or the first.

    Raises
    ------
    ModelFormatError
        When the file is missing, damaged, or no TensorFlow Lite model.
    UnsupportedOpError
        When the model has loops or branches that depend on data, or an op without a known shape.
    GraphError
        When the operators do not form a valid graph. The message names the operator.
    """
    with _reading(model) as path:
        walk, outputs = _walked(path, input_shape, signature)
        return canonical_graph(walk.nodes, path.stem, outputs, walk.free, walk.warnings, meter().look)


def tensor_names(
    model: str | os.PathLike[str], *, input_shape: GivenShapes = None, signature: str | None = None
) -> dict[str, str]:
    """Return the nodes of a model, and what its file calls the tensors that they write.

    A converter joins the names of what it has fused with semicolons; a node has the first of them.
    Parameters and errors are those of `load`.
    """
    with _reading(model) as path:
        return _walked(path, input_shape, signature)[0].tensors


@contextmanager
def _reading(model: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the path of a model to a block that reads it; the errors of the block name the file."""
    if not isinstance(model, (str, os.PathLike)):
        raise ModelFormatError(
            f"a TensorFlow Lite model is given as the path of a file, got a {type(model).__name__}"
        )
    with own_errors(model), metered():
        try:
            yield Path(model)
        except (struct.error, IndexError, OverflowError, ValueError) as error:
            raise ModelFormatError(f"the file is truncated or damaged: {error}") from error


def _walked(path: Path, input_shape: GivenShapes, signature: str | None) -> tuple[Walk, list[str]]:
    """Return what is made of a file, and the tensors that it gives."""
    model = Model(read_structure(path))
    found = _signature(model, signature)
    walk = Walk(model, input_shape)
    return walk, walk.run(found.subgraph, found.inputs)


def _signature(model: Model, name: str | None) -> Signature:
    if name is None:
        default = next((one for one in model.signatures if one.name == _SIGNATURE), None)
        return default or next(iter(model.signatures), Signature("", 0, {}))
    for one in model.signatures:
        if one.name == name:
            return one
    listed = ", ".join(sorted(one.name for one in model.signatures)) or "none"
    raise ModelFormatError(f"the model has no signature {name!r}; it has: {listed}")
