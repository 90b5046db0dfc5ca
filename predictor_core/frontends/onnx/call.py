"""One ONNX node with its inputs known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

from predictor_core.frontends.common.call import BaseCall, Step
from predictor_core.frontends.common.values import Value

__all__ = ["Call", "Handler", "Step"]


class Call(BaseCall):
    """One ONNX node.

    Parameters
    ----------
    name, op, inputs
        See `BaseCall`.
    attrs : mapping
        Attributes by name.
    outputs : int
        Number of outputs that matter.
    opset : int
        Version of the model's ops.
    warnings : list of str
        What the rule of the node has to assume is appended here.
    """

    __slots__ = ("attrs", "opset", "outputs", "warnings")

    def __init__(
        self,
        name: str,
        op: str,
        attrs: Mapping[str, Any],
        inputs: Sequence[Value | None],
        outputs: int,
        opset: int,
        warnings: list[str] | None = None,
    ) -> None:
        super().__init__(name, op, inputs)
        self.attrs = attrs
        self.outputs = outputs
        self.opset = opset
        self.warnings: list[str] = [] if warnings is None else warnings

    def like(self, inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Call:
        """Return the same call with other inputs and some other attributes."""
        changed = {**self.attrs, **attrs}
        return Call(self.name, self.op, changed, inputs, self.outputs, self.opset, self.warnings)

    def ints_of(self, attribute: str, index: int) -> tuple[int, ...] | None:
        """Return integers that are an input in newer opsets and an attribute in older ones, if given."""
        if self.has(index):
            return self.ints(index)
        return tuple(self.attrs[attribute]) if attribute in self.attrs else None

    def axis(self, default: int, rank: int) -> int:
        """Return the attribute ``axis``, counted from the front."""
        return self.checked_axis(self.attrs.get("axis", default), rank)


Handler = Callable[[Call], Union[Step, "list[Step]"]]
