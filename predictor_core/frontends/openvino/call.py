"""One OpenVINO layer with its inputs known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Union

from predictor_core.frontends.common.call import BaseCall, Step
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.onnx.call import Call as OnnxCall
from predictor_core.frontends.openvino.document import Layer

__all__ = ["Call", "Handler", "Step"]

#: Version of the ONNX ops that layers are read as.
_OPSET = 18
_MAX_NUMBERS = 64


class Call(BaseCall):
    """One layer.

    Parameters
    ----------
    layer : Layer
        The layer with its attributes.
    inputs : sequence of Value or None
        What it reads; None stands for an optional input that is not given.
    """

    __slots__ = ("layer",)

    def __init__(self, layer: Layer, inputs: Sequence[Value | None]) -> None:
        super().__init__(layer.name, layer.type, inputs)
        self.layer = layer

    def text(self, key: str, default: str = "") -> str:
        """Return an attribute."""
        return self.layer.data.get(key, default)

    def flag(self, key: str) -> bool:
        """Return an attribute that is a truth value; False where it is absent."""
        return self.layer.data.get(key, "").strip().lower() in ("true", "1")

    def number(self, key: str, default: float | None = None) -> float:
        """Return an attribute that is a number."""
        text = self.layer.data.get(key)
        if text is None and default is not None:
            return default
        try:
            return float(text or "")
        except ValueError:
            raise self.error(f"{key} should be a number, got {text!r}") from None

    def integers(self, key: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        """Return an attribute that lists integers."""
        text = self.layer.data.get(key)
        if text is None or not text.strip():
            return tuple(default)
        try:
            return _integers(text)
        except ValueError:
            raise self.error(f"{key} should list integers, got {text[:80]!r}") from None

    def as_onnx(self, op: str, inputs: Sequence[Value | None] | None = None, **attrs: Any) -> OnnxCall:
        """Return the layer as a node of ONNX."""
        return OnnxCall(
            self.name,
            op,
            attrs,
            self.inputs if inputs is None else inputs,
            max(len(self.layer.outputs), 1),
            _OPSET,
        )


@lru_cache(maxsize=4096)
def _integers(text: str) -> tuple[int, ...]:
    parts = text.split(",", _MAX_NUMBERS)
    if len(parts) > _MAX_NUMBERS or max(map(len, parts)) > 20:
        raise ValueError("too long")
    return tuple([int(part) for part in parts])


Handler = Callable[[Call], Union[Step, "list[Step]"]]
