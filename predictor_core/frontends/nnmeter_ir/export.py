"""Any model as an nn-Meter IR document."""

from __future__ import annotations

import os
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.frontends import nnmeter_ir, type_of
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.ir.inputs import GivenShapes


def model_file_to_graph(
    filename: str | os.PathLike[str],
    model_type: str | None = None,
    input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
    apply_nni: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Read a model file into an nn-Meter IR document.

    Parameters
    ----------
    filename : str or path
        The file. With ``model_type="torch"`` also the name of a torchvision model.
    model_type : str, optional
        ``"onnx"``, ``"torch"``, ``"torchvision"``, ``"pb"``, ``"tflite"``, ``"openvino"``, ``"keras"``,
        ``"nnmeter-ir"`` or ``"nni-ir"``. Left out, the ending of the file tells.
    input_shape : tuple of int, several, or mapping from names to them
        Batch first. For torch models the shape of the input, channels first; elsewhere it fills
        the dimensions that the file leaves open.
    apply_nni : bool
        Convert a torch model with NNI.
    **options
        Passed to the front end.

    Returns
    -------
    dict
        Node name -> inbounds, outbounds and attr. Shapes are channels last. An nn-Meter IR
        file is checked and returned as written.

    Raises
    ------
    PredictorError
        When the file can't be read as a model of this type.
    """
    if not isinstance(filename, (str, os.PathLike)):
        raise PredictorError(
            f"filename must be a path, got a {type(filename).__name__}; use model_to_graph for an object"
        )
    if model_type is not None and model_type.lower() == "torch" and not os.path.exists(filename):
        return model_to_graph(filename, "torchvision", input_shape, apply_nni, **options)
    return model_to_graph(filename, model_type, input_shape, apply_nni, **options)


def model_to_graph(
    model: Any,
    model_type: str | None = None,
    input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
    apply_nni: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Convert a model object to an nn-Meter IR document.

    Parameters are those of `model_file_to_graph`; `model` is an ``onnx.ModelProto``, a
    ``torch.nn.Module`` or exported program, a Keras model, an NNI model, or an nn-Meter IR ``dict``, which is
    checked and returned itself.
    """
    graph = to_graph(model, model_type, input_shape, apply_nni, **options)
    if (model_type or type_of(model)).lower() == "nnmeter-ir":
        return nnmeter_ir.read_document(model) if isinstance(model, (str, os.PathLike)) else model
    return nnmeter_ir.to_document(graph)
