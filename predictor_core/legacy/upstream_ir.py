"""Any model as the nn-Meter IR dict that nn-Meter would make of it, as far as it can be known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from predictor_core import frontends
from predictor_core.budget import metered
from predictor_core.errors import own_errors
from predictor_core.frontends.nnmeter_ir import read_document, to_document
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.legacy.onnx_ir import onnx_to_ir

#: Composites that this package's front ends name and nn-Meter finds in primitive ops.
_COMPOSITES = {"HardSwish": "hswish", "ChannelShuffle": "channelshuffle"}


def to_upstream_ir(
    model: Any,
    model_type: str | None,
    input_shape: GivenShapes,
    apply_nni: bool = False,
    **options: Any,
) -> Mapping[str, Any]:
    """Read a model.

    An nn-Meter IR is taken as it stands, an ONNX model the way nn-Meter reads one, and a torch module by way
    of a simplified ONNX model, as nn-Meter has it. Other models pass through this package's own front ends,
    which see more than nn-Meter's do.

    Parameters
    ----------
    model, model_type, input_shape, apply_nni, **options
        As for `predictor_core.LatencyPredictor.predict`.

    Returns
    -------
    mapping
        nn-Meter IR.

    Raises
    ------
    PredictorError
        The model can't be read.
    """
    with own_errors(model), metered():
        if isinstance(model, Graph):
            return graph_to_upstream_ir(to_graph(model))
        kind = (model_type or frontends.type_of(model)).lower()
        frontends.check_options(kind, options)
        is_file = isinstance(model, (str, os.PathLike))
        if kind == "nnmeter-ir" and isinstance(model, Mapping):
            return model
        if kind == "nnmeter-ir" and is_file:
            return read_document(model)
        if kind == "onnx":
            from predictor_core.frontends.onnx.file import read_model

            return onnx_to_ir(read_model(model) if is_file else model)
        if kind in ("torch", "torchvision") and not apply_nni and not options:
            from predictor_core.legacy.torch_export import export_simplified

            if isinstance(model, str):
                from predictor_core.frontends.torch.torchvision import build

                model = build(model)
            shape = DEFAULT_INPUT_SHAPE if input_shape is None else input_shape
            return onnx_to_ir(export_simplified(model, shape))
        return graph_to_upstream_ir(to_graph(model, model_type, input_shape, apply_nni, **options))


def graph_to_upstream_ir(graph: Graph) -> dict[str, Any]:
    """Write a Graph as the IR that nn-Meter would have made of the model."""
    document = to_document(graph)
    for entry in document.values():
        attr = entry["attr"]
        attr["type"] = _COMPOSITES.get(attr["type"], attr["type"])
    return document
