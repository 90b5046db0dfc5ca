"""One name for each kind of convolution."""

from __future__ import annotations

from predictor_core.ir.passes.draft import Draft, retyped


def depthwise(draft: Draft) -> None:
    """Turn a conv with as many groups as input channels, more than one, into ``dwconv``."""
    for node in draft.of("conv"):
        groups = node.attrs.get("groups", 1)
        if groups > 1 and groups == draft.shape(node.inputs[0])[-1]:
            draft.put(retyped(node, "dwconv", node.inputs, dict(node.attrs)))
