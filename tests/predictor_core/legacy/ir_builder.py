"""nn-Meter IR dicts written by hand, for the tests."""

from __future__ import annotations

from typing import Any


class IrBuilder:
    """Adds nodes to an IR dict; `shape` is that of every input and output unless told otherwise."""

    def __init__(self, shape: list[int] | None = None) -> None:
        self.shape = shape or [1, 56, 56, 16]
        self.ir: dict[str, Any] = {}
        self.add("input", "Placeholder", [], inputs=[])

    def add(
        self,
        name: str,
        type: str,
        inbounds: list[str],
        *,
        inputs: list[list[int]] | None = None,
        outputs: list[list[int]] | None = None,
        **attr: Any,
    ) -> str:
        self.ir[name] = {
            "inbounds": inbounds,
            "attr": {
                "name": name,
                "type": type,
                "attr": attr,
                "input_shape": [self.shape for _ in inbounds] if inputs is None else inputs,
                "output_shape": [self.shape] if outputs is None else outputs,
            },
            "outbounds": [],
        }
        return name

    def conv(self, name: str, source: str, type: str = "Conv2D", **attr: Any) -> str:
        return self.add(name, type, [source], kernel_shape=[3, 3], strides=[1, 1], **attr)
