"""Any model as the nn-Meter IR dict that nn-Meter would make of it, as far as it can be known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from predictor_core.errors import ModelFormatError, missing_dependency
from predictor_core.legacy.onnx_ir import onnx_to_ir


def to_upstream_ir(
    model: Any, model_type: str | None, input_shape: Any, apply_nni: bool = False, **options: Any
) -> Mapping[str, Any]:
    """Read a model.

    An nn-Meter IR is taken as it stands and an ONNX model the way nn-Meter reads one. Other models pass
    through this package's own front ends, which see more than nn-Meter's do.

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
    kind = (model_type or "").lower()
    is_file = isinstance(model, (str, os.PathLike))
    if kind == "nnmeter-ir" and isinstance(model, Mapping):
        return model
    if kind == "nnmeter-ir" and is_file:
        from predictor_core.ir.nnmeter_ir import read_document

        return read_document(model)
    if kind == "onnx":
        return onnx_to_ir(_load_onnx(model) if is_file else model)
    if not kind:
        raise TypeError("model_type is needed, such as 'nnmeter-ir' or 'onnx'")
    from predictor_core.ir_export import model_to_graph

    return model_to_graph(model, kind, input_shape, apply_nni, **options)


def _load_onnx(path: str | os.PathLike[str]) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise missing_dependency("onnx", "onnx", "Reading an ONNX model") from error
    try:
        return onnx.load(os.fspath(path), load_external_data=False)
    except OSError as error:
        raise ModelFormatError(f"the ONNX file {path} can't be read: {error.strerror}") from error
    except (DecodeError, ValueError) as error:
        raise ModelFormatError(f"{Path(path)} is not an ONNX file: {error}") from error
