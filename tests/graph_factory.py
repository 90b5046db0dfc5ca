"""Graphs for tests, written node by node."""

from __future__ import annotations

from typing import Any

from predictor_core.ir.graph import Graph, Node, Shape


class NodeList:
    """Writes nodes; a call returns the name of the tensor it makes, in the shape of its input by default."""

    def __init__(self, shape: Shape) -> None:
        self.nodes = [Node("x", "input", outputs=(shape,))]

    def __call__(self, op: str, *inputs: str, shape: Shape | None = None, **attrs: Any) -> str:
        name = f"{op}_{len(self.nodes)}"
        shapes = {node.name: node.shape for node in self.nodes}
        self.nodes.append(Node(name, op, inputs, attrs, (shape or shapes[inputs[0]],)))
        return name

    def conv(self, x: str, shape: Shape | None = None, **attrs: Any) -> str:
        window = {"kernel": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
        return self("conv", x, shape=shape, **window, **attrs)


def all_ops(graph: Graph) -> list[str]:
    """Ops of a Graph, in order."""
    return [node.op for node in graph]
