"""One TensorFlow Lite operator with its inputs known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Union

from predictor_core.frontends.common.call import Step
from predictor_core.frontends.common.values import Value
from predictor_core.frontends.tensorflow.call import Call as TensorFlowCall
from predictor_core.frontends.tflite.model import Operator
from predictor_core.frontends.tflite.schema import ACTIVATIONS, PADDINGS

__all__ = ["Call", "Handler", "Step", "activated"]

_ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "RELU": ("relu", {}),
    "RELU6": ("relu6", {}),
    "RELU_N1_TO_1": ("clip", {"min": -1.0, "max": 1.0}),
    "SIGN_BIT": ("Sign", {}),
    "TANH": ("tanh", {}),
}
#: Attribute of TensorFlow -> first part of the names of the options that it is here, and their default.
_SIZES = {"dilations": ("dilation", 1), "ksize": ("filter", 0), "strides": ("stride", 0)}


class Call(TensorFlowCall):
    """One operator, read as the TensorFlow node that it was converted from.

    Parameters
    ----------
    operator : Operator
        The operator with its options.
    inputs : sequence of Value or None
        What it reads; None stands for an optional input that is not given.
    """

    __slots__ = ()
    inputs: Sequence[Any]
    node: Any

    def __init__(self, operator: Operator, inputs: Sequence[Value | None]) -> None:
        super().__init__(operator, inputs)  # type: ignore[arg-type]

    @property
    def option(self) -> Callable[..., int]:
        """Return a number among the options by its name."""
        option: Callable[..., int] = self.node.integer
        return option

    def sizes(self, key: str, dims: int) -> tuple[int, ...]:
        """Numbers for the dimensions in space of what TensorFlow keeps in one attribute."""
        name, default = _SIZES[key]
        return tuple([self.option(f"{name}_{axis}", default) for axis in "dhw"[-dims:]])

    def padding(self) -> str:
        """Return ``SAME`` or ``VALID``."""
        padding = self.option("padding")
        if not 0 <= padding < len(PADDINGS):
            raise self.error(f"has padding {padding}; expected 0 (SAME) or 1 (VALID)")
        return PADDINGS[padding]

    @property
    def channels_first(self) -> bool:
        """No: all images are (N, H, W, C)."""
        return False


Handler = Callable[[Call], Union[Step, "list[Step]"]]


def activated(handler: Handler) -> Handler:
    """Return the handler of an op that applies the activation among its options to its output."""

    def fused(call: Call) -> Step | list[Step]:
        number = call.option("activation")
        if not 0 <= number < len(ACTIVATIONS):
            raise call.error(f"has the activation {number}, which is not known")
        steps = handler(call)
        if not number:
            return steps
        steps = steps if isinstance(steps, list) else [steps]
        op, attrs = _ACTIVATIONS[ACTIVATIONS[number]]
        return [*steps, Step(op, (len(steps) - 1,), attrs, steps[-1].outputs)]

    return fused
