"""Writer of ONNX models: nodes, weights, and which tensors are channels first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.names import Names

#: Opset and IR version: the first with layer normalisation as one op, and what runtimes of that time read.
OPSET, IR_VERSION = 17, 8
#: Weights with more elements are written as a product.
_WHOLE = 4096
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class Writer:
    """What is written so far, and which tensors are images."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.images: set[str] = set()
        self._random = np.random.default_rng(seed)
        self._names = Names(tensor for node in graph for tensor in node.tensors)

    def unique(self, stem: str) -> str:
        """Return a name that no tensor has."""
        return self._names.fresh(stem)

    def add(self, op: str, inputs: Sequence[str], outputs: str | Sequence[str] = "", **attrs: Any) -> str:
        """Add an ONNX node; returns its first output."""
        from onnx import helper

        names = [outputs or self.unique(op)] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attrs))
        return names[0]

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant; returns its name."""
        from onnx import numpy_helper

        name = self.unique("constant")
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def ints(self, *values: int) -> str:
        """Add a constant vector of integers."""
        return self.constant(values, np.int64)

    def weight(self, shape: Shape, fan_in: int, axis: int = 0) -> str:
        """Random weight that keeps the size of activations; a large one varies along `axis` by a factor."""
        scale = fan_in**-0.5
        if prod(shape) <= _WHOLE or shape[axis] == 1:
            return self.constant(scale * self._random.standard_normal(shape))
        one = [dim if i == axis else 1 for i, dim in enumerate(shape)]
        other = [1 if i == axis else dim for i, dim in enumerate(shape)]
        factors = self.constant(self._random.uniform(0.5, 1.5, one) * self._random.choice((-1.0, 1.0), one))
        return self.add("Mul", [factors, self.constant(scale * self._random.standard_normal(other))])

    def vector(self, size: int) -> str:
        """Add a random shift of each channel."""
        return self.constant(self._random.uniform(0.05, 0.2, size))

    def image(self, tensor: str) -> str:
        """Return a tensor channels first."""
        if tensor in self.images or len(self.graph.shape(tensor)) != 4:
            return tensor
        return self.add("Transpose", [tensor], perm=FIRST)

    def plain(self, tensor: str) -> str:
        """Return a tensor as it is in the Graph."""
        return self.add("Transpose", [tensor], perm=LAST) if tensor in self.images else tensor

    def stored(self, tensor: str, shape: Shape | None = None) -> Shape:
        """Shape of a tensor in the file (or of another of the same layout)."""
        shape = self.graph.shape(tensor) if shape is None else shape
        return tuple(shape[i] for i in FIRST) if tensor in self.images else shape

    def axis(self, tensor: str, axis: int) -> int:
        """Return where an axis of a tensor is in the file."""
        axis %= len(self.graph.shape(tensor))
        return FIRST.index(axis) if tensor in self.images else axis

    def info(self, tensor: str) -> Any:
        """Describe an input or output of the model."""
        from onnx import TensorProto, helper

        return helper.make_tensor_value_info(tensor, TensorProto.FLOAT, self.stored(tensor))

    def like_input(self, node: Node) -> str:
        """Return the first input of a node whose outputs have the layout of that input."""
        if node.inputs[0] in self.images:
            self.images.update(node.tensors)
        return node.inputs[0]


#: Writes one node.
Handler = Callable[[Writer, Node], None]
