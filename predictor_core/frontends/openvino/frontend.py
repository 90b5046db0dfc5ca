"""Front end for OpenVINO IR: the ``.xml`` of a model, read without OpenVINO."""

from __future__ import annotations

import os
from pathlib import Path

from predictor_core.budget import meter, metered
from predictor_core.errors import ModelFormatError, own_errors
from predictor_core.frontends.openvino.graph import Walk
from predictor_core.frontends.openvino.reader import read_network
from predictor_core.frontends.openvino.weights import Weights
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.ir.layout import channels_last


def load(model: str | os.PathLike[str], *, input_shape: GivenShapes = None) -> Graph:
    """Convert an OpenVINO model to a Graph.

    Parameters
    ----------
    model : str or path
        The ``.xml`` of IR version 7, 10 or 11. The ``.bin`` beside it need not be there: shapes are stated in
        the ``.xml``. Where it is there, small constants are read (axes, orders of a transpose), no weights.
    input_shape : optional
        Fills what the model leaves open; see `predictor_core.ir.inputs.InputShapes`. An open batch is 1.

    Returns
    -------
    Graph
        Channels last.

    Raises
    ------
    ModelFormatError
        When the file is missing, damaged, or no OpenVINO IR.
    UnsupportedOpError
        When the model has loops or branches that depend on data, or an op without a known shape.
    GraphError
        When the layers do not form a valid graph. The message names the layer.
    """
    if not isinstance(model, (str, os.PathLike)):
        raise ModelFormatError(
            f"an OpenVINO model is given as the path of its .xml file, got a {type(model).__name__}"
        )
    path = Path(model)
    with own_errors(path), metered():
        network = read_network(path)
        with Weights(path) as weights:
            walk = Walk(weights, input_shape)
            outputs = walk.run(network)
        return channels_last(walk.nodes, path.stem, outputs, walk.warnings, meter().look)
