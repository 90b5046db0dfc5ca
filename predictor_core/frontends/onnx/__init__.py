"""ONNX: model files and ``ModelProto`` objects."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from predictor_core.frontends.onnx.frontend import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    # Resolved on first use: other front ends use rules of this one and not the reader of its files.
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from predictor_core.frontends.onnx.frontend import load

    return load
