"""Front end for torchvision model names: the model is built without weights and traced directly."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from predictor_core.errors import PredictorError, missing_dependency, suggestion
from predictor_core.frontends.torch.weightless import built_without_weights
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes

#: Family names, and the variant that each one stands for.
SHORT_NAMES = {
    "densenet": "densenet161",
    "efficientnet": "efficientnet_b0",
    "inception": "inception_v3",
    "mnasnet": "mnasnet1_0",
    "mobilenet_v3": "mobilenet_v3_large",
    "resnet": "resnet18",
    "resnext": "resnext50_32x4d",
    "shufflenet": "shufflenet_v2_x1_0",
    "shufflenet_v2": "shufflenet_v2_x1_0",
    "squeezenet": "squeezenet1_0",
    "vgg": "vgg16",
    "wide_resnet": "wide_resnet50_2",
}

_LOGGER = logging.getLogger(__name__)


def load(
    model: str, *, input_shape: GivenShapes = None, via: str | None = None, apply_nni: bool = False
) -> Graph:
    """Convert a torchvision model, given by name, to a Graph; nothing is downloaded.

    Parameters
    ----------
    model : str
        Name of a torchvision model (``resnet18``) or of a family (``resnet``, see `SHORT_NAMES`).
    input_shape : sequence of int, optional
        With or without the batch dimension; (1, 3, 224, 224) by default.
    via, apply_nni
        As for the torch front end.

    Raises
    ------
    PredictorError
        For an unknown name, or a detection, segmentation or video model that can't be traced.
    MissingDependencyError
        When torch or torchvision is not installed.
    """
    from predictor_core.frontends import torch as torch_frontend

    module = build(model)
    if type(module).__module__.startswith("torchvision.models.detection"):
        _LOGGER.warning("%s: only the backbone is converted; the boxes of a detector depend on values", model)
        module = module.backbone
    graph = torch_frontend.load(module, input_shape=input_shape, via=via, apply_nni=apply_nni)
    return Graph(graph.nodes, model, graph.outputs, graph.free, graph.warnings)


def names() -> list[str]:
    """Names of the classification models that the installed torchvision has."""
    models = import_models()
    return sorted(models.list_models(module=models))


def build(name: str) -> Any:
    """Build a torchvision model without its weights, in evaluation mode.

    Parameters
    ----------
    name : str
        As for `load`. The large tensors are on the meta device; torch's random state stays as it is.

    Raises
    ------
    PredictorError
        For an unknown name.
    """
    models = import_models()
    full = SHORT_NAMES.get(name.lower(), name.lower())
    if full not in models.list_models():
        close = suggestion(name, [*models.list_models(), *SHORT_NAMES])
        raise PredictorError(
            f"the installed torchvision has no model {name!r}{close or ';'} expected one of "
            f"{', '.join(names())}, or a family: {', '.join(sorted(SHORT_NAMES))}"
        )
    arguments: dict[str, Any] = {"weights": None}
    if full in ("googlenet", "inception_v3"):
        arguments["init_weights"] = False
    if "weights_backbone" in inspect.signature(models.get_model_builder(full)).parameters:
        arguments["weights_backbone"] = None
    return built_without_weights(lambda: models.get_model(full, **arguments))


def import_models() -> Any:
    """Return ``torchvision.models``, also of a build whose compiled ops do not load.

    Raises
    ------
    MissingDependencyError
        When torchvision is not installed.
    """
    try:
        from torchvision import models
    except ImportError as error:
        raise missing_dependency("torchvision", "torch", "Building a torchvision model") from error
    except RuntimeError:
        # torchvision's compiled ops are made for another build of torch. No model needs them to be built, but
        # torchvision registers shapes for these while it is imported.
        import torch

        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        from torchvision import models
    return models
