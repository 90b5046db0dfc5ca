"""One name for each kind of convolution."""

from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("dilated convs",), ensures="depthwise convs", ops=("conv",))
def depthwise(graph: MutableGraph) -> None:
    """Turn a conv with as many groups as input channels, more than one, into ``dwconv``."""
    for node in graph.of("conv"):
        groups = node.attrs.get("groups", 1)
        if groups > 1 and groups == graph.shape(node.inputs[0])[-1]:
            graph.replace(node, "dwconv", node.inputs, dict(node.attrs))
