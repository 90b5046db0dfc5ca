"""Any model that can be one becomes an ONNX file or its content, with weights that can be computed with."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor_core.errors import ModelFormatError, requires
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
from predictor_core.ir.inputs import GivenShapes, InputShapes

if TYPE_CHECKING:
    import torch

#: Opset of exported torch modules: the first with layer normalisation as one op.
_OPSET = 17


def as_onnx(model: Any, model_type: str, input_shape: GivenShapes = None) -> Path | bytes:
    """Return the path of an ONNX file, or the content of one.

    Parameters
    ----------
    model : path, onnx.ModelProto, torch.nn.Module, name of a torchvision model, or Graph
        Modules are exported in evaluation mode, with the weights that they have; torchvision models and
        Graphs get random ones.
    model_type : str
        ``"onnx"``, ``"torch"``, ``"torchvision"`` or ``"graph"``.
    input_shape : sequence of int, optional
        Shape of a module's input; (1, 3, 224, 224) by default.

    Raises
    ------
    PredictorError
        When there is no such file, or the module can't be exported.
    """
    if model_type == "onnx":
        if isinstance(model, (str, os.PathLike)):
            path = Path(model)
            if not path.is_file():
                raise ModelFormatError(f"{path}: no such file")
            return path
        content: bytes = model.SerializeToString()
        return content
    if model_type == "graph":
        from predictor_core.frontends.onnx.writing import graph_to_onnx

        written: bytes = graph_to_onnx(model).SerializeToString()
        return written
    module = torch_module(model, model_type)
    return _exported(module, input_shape)


def torch_module(model: Any, model_type: str) -> Any:
    """Return a torch module, built with random weights where a torchvision name is given."""
    if model_type == "torch":
        return model
    from predictor_core.frontends.torch.torchvision import build

    return _with_weights(build(str(model)))


def _with_weights(module: Any) -> Any:
    """Give a module that was built without weights random ones, which keep the size of activations."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            if weight.is_meta:
                fan_in = weight[0].numel() if weight.dim() > 1 else 0
                random = (
                    torch.randn(weight.shape, generator=generator) if fan_in else torch.ones(weight.shape)
                )
                scale = (2.0 / fan_in) ** 0.5 if fan_in else 0.5
                setattr(part, name, torch.nn.Parameter(scale * random))
    return module


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Put a module and all its parts into evaluation mode, and each back into the mode that it had."""
    flags = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for part, training in flags:
            part.training = training


def random_inputs(input_shape: GivenShapes) -> tuple[torch.Tensor, ...]:
    """Return tensors of random numbers for a torch module, always the same.

    Raises
    ------
    ModelFormatError
        For shapes by name: a module takes its inputs in order.
    """
    import torch

    given = InputShapes(input_shape or DEFAULT_INPUT_SHAPE)
    if given.named:
        raise ModelFormatError(
            f"input_shape names {', '.join(given.named)}; a torch module is timed with shapes in the order "
            "of its inputs: give a list of them"
        )
    generator = torch.Generator().manual_seed(0)
    return tuple([torch.randn(*shape, generator=generator) for shape in given.ordered])


def _exported(module: Any, input_shape: GivenShapes) -> bytes:
    with requires("torch", "torch", "Exporting a torch model to ONNX"):
        import torch
    inputs = random_inputs(input_shape)
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), evaluating(module), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(module, inputs, buffer, opset_version=_OPSET, dynamo=False)
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise ModelFormatError(f"the torch module can't be exported to ONNX: {reason}") from error
    return buffer.getvalue()
