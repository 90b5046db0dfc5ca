"""ONNX front end: a model file or a ``ModelProto`` becomes a Graph. Weights are never read."""

from __future__ import annotations

import os
from typing import Any

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.onnx.file import import_onnx, read_model
from predictor_core.frontends.onnx.functions import inlined
from predictor_core.frontends.onnx.graph import Conversion
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.ir.layout import channels_last


def load(model: Any, *, input_shape: GivenShapes = None) -> Graph:
    """Convert an ONNX model to a Graph.

    Parameters
    ----------
    model : path or onnx.ModelProto
        Opset 7 or newer, as an exporter writes it; it need not be simplified. It is not changed, and
        files with its weights may be absent.
    input_shape : optional
        Fills what the file leaves open; see `predictor_core.ir.inputs.InputShapes`. An open batch is 1.

    Returns
    -------
    Graph
        Channels last.

    Raises
    ------
    ModelFormatError
        When the file is not ONNX, or shapes are open: the message names the symbolic dimensions.
    GraphError
        When the model contradicts itself.
    UnsupportedOpError
        When the model has control flow that is decided at run time.
    MissingDependencyError
        When the package onnx is not installed.
    """
    onnx = import_onnx()
    if isinstance(model, (str, os.PathLike)):
        proto, name = read_model(model), os.path.splitext(os.path.basename(model))[0]
    elif isinstance(model, onnx.ModelProto):
        proto, name = model, model.graph.name
    else:
        raise ModelFormatError(
            f"expected the path of an ONNX file or an onnx.ModelProto, got {type(model).__name__}"
        )
    conversion = Conversion(inlined(proto), input_shape)
    return channels_last(
        conversion.nodes, name, conversion.outputs, conversion.warnings, conversion.meter.look
    )
