"""A torch module as the simplified ONNX model that nn-Meter makes of it before it looks at it.

The exporter is that of the installed torch; where it writes another graph than torch 1.13 did (a concat of
one input left out, say), the number differs from nn-Meter's by that.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

from predictor_core.errors import ModelFormatError, requires
from predictor_core.ir.inputs import GivenShapes, InputShapes

#: What torch exported by default in nn-Meter's time; later opsets have ops that it has never seen.
_OPSET = 14

_LOGGER = logging.getLogger(__name__)


def export_simplified(model: Any, input_shape: GivenShapes) -> Any:
    """Export a module in evaluation mode and simplify the result.

    Parameters
    ----------
    model : torch.nn.Module
        It is only read: mode, weights and the random state stay as they are.
    input_shape : sequence of int, or sequence of such
        Shape of the input, or of each input, batch first.

    Returns
    -------
    onnx.ModelProto
        With constants as initializers.

    Raises
    ------
    MissingDependencyError
        Without torch, onnx or onnxsim.
    ModelFormatError
        The module can't be exported.
    """
    purpose = "nn-Meter's way of reading a torch model"
    with requires("torch", "torch", purpose):
        import torch
    with requires("onnxsim", "all", purpose):
        import onnx
        import onnxsim
    from predictor_core.frontends.torch.module_copy import ModuleCopy
    from predictor_core.frontends.torch.tensors import random_state_kept

    if not isinstance(model, torch.nn.Module):
        raise ModelFormatError(f"expected a torch.nn.Module, got {type(model).__name__}")
    given = InputShapes(input_shape)
    shapes = given.ordered or list(given.named.values())
    buffer = io.BytesIO()
    try:
        with random_state_kept(), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                ModuleCopy(model, replacement=_real).module,
                tuple(torch.zeros(shape) for shape in shapes),
                buffer,
                opset_version=_OPSET,
                dynamo=False,
            )
            simplified, _ = onnxsim.simplify(onnx.load_model_from_string(buffer.getvalue()))
    except Exception as error:  # torch and onnxsim raise whatever their passes do
        _LOGGER.info("the export failed", exc_info=error)
        raise ModelFormatError(
            f"{type(model).__name__} can't be exported to ONNX with input_shape {shapes}: "
            f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        ) from error
    return _constants_hoisted(simplified)


def _real(tensor: Any) -> Any:
    """Return a parameter itself, a copy of a buffer, or zeros where there is a shape only."""
    import torch

    if tensor.is_meta:
        return torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
    data = tensor.detach().cpu()
    return data if isinstance(tensor, torch.nn.Parameter) else data.clone()


def _constants_hoisted(model: Any) -> Any:
    """Turn Constant nodes into initializers, as older onnxsim did; nn-Meter fails on such a node."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        values = [attribute for attribute in node.attribute if attribute.name == "value"]
        if len(values) == 1:
            initializer = graph.initializer.add()
            initializer.CopyFrom(values[0].t)
            initializer.name = node.output[0]
            graph.node.remove(node)
    return model
