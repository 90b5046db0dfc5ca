"""Small ONNX models for tests, written node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from predictor_core.ir.graph import Graph

onnx = pytest.importorskip("onnx")
np = pytest.importorskip("numpy")

FLOAT = onnx.TensorProto.FLOAT
INT64 = onnx.TensorProto.INT64


class OnnxModel:
    """Builds a ``ModelProto``; every call adds a node and returns the name of its (first) output."""

    def __init__(self, *shapes: Any, opset: int = 17) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.functions: list[Any] = []
        self.domains: list[str] = []
        self.inputs = [
            onnx.helper.make_tensor_value_info(f"x{index or ''}", FLOAT, shape)
            for index, shape in enumerate(shapes or [(1, 3, 32, 32)])
        ]

    def __call__(self, op: str, *inputs: str, outputs: int = 1, named: bool = True, **attrs: Any) -> str:
        index = len(self.nodes)
        names = [f"t{index}"] + [f"t{index}_{extra}" for extra in range(1, outputs)]
        name = f"{op}_{index}" if named else None
        self.nodes.append(onnx.helper.make_node(op, inputs, names, name=name, **attrs))
        return names[0]

    def weight(self, *shape: int) -> str:
        """Add a tensor of floats; large ones have zeros."""
        return self.constant(np.zeros(shape, np.float32))

    def ints(self, *values: int) -> str:
        """Add a 1-D tensor of integers."""
        return self.constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        """Add a scalar."""
        return self.constant(np.array(value, np.float32))

    def constant(self, array: Any) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(onnx.numpy_helper.from_array(array, name))
        return name

    def conv(self, x: str, weight: Sequence[int], bias: bool = False, **attrs: Any) -> str:
        inputs = [x, self.weight(*weight)]
        if bias:
            inputs.append(self.weight(weight[0]))
        return self("Conv", *inputs, **attrs)

    def bn(self, x: str, channels: int, **attrs: Any) -> str:
        return self("BatchNormalization", x, *[self.weight(channels) for _ in range(4)], **attrs)

    def proto(self, *outputs: str) -> Any:
        """Return the model; its outputs are the given tensors, by default that of the last node."""
        names = outputs or (self.nodes[-1].output[0],)
        graph = onnx.helper.make_graph(
            self.nodes,
            "tiny",
            self.inputs,
            [onnx.helper.make_tensor_value_info(name, FLOAT, None) for name in names],
            self.initializers,
        )
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        opsets += [onnx.helper.make_opsetid(domain, 1) for domain in self.domains]
        return onnx.helper.make_model(graph, opset_imports=opsets, functions=self.functions)

    def graph(self, *outputs: str, input_shape: Any = None) -> Graph:
        """Return what the front end makes of the model."""
        from predictor_core.frontends.onnx import load

        return load(self.proto(*outputs), input_shape=input_shape)


def ops(graph: Graph) -> list[str]:
    """Ops of a Graph in order, without the inputs."""
    return [node.op for node in graph if node.op != "input"]
