"""Writer of TFLite models: tensors, buffers and operators, in the terms of the schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.shapes import same_pads

#: Op -> version that has all that is used of it (version 5 of the fully connected layer keeps dimensions).
_VERSIONS = {"FULLY_CONNECTED": 5}


class Writer:
    """What is written so far."""

    def __init__(self, graph: Graph, schema: Any, seed: int) -> None:
        self.graph = graph
        self.schema = schema
        #: Nodes that are part of the op before them.
        self.written: set[str] = set()
        self._random = np.random.default_rng(seed)
        self._tensors: list[Any] = []
        self._place: dict[str, int] = {}
        # Buffer 0 is empty by convention: of all tensors that are computed.
        self._buffers: list[Any] = [schema.BufferT()]
        self._shared: dict[tuple[str, int, float], int] = {}
        self._operators: list[Any] = []
        self._codes: dict[int, int] = {}

    def tensor(self, name: str, shape: Shape, dtype: Any = np.float32, buffer: int = 0) -> int:
        """Add a tensor; returns its index."""
        made = self.schema.TensorT()
        made.name = name
        made.shape = [int(dim) for dim in shape]
        kinds = {np.float32: self.schema.TensorType.FLOAT32, np.int32: self.schema.TensorType.INT32}
        made.type = kinds[dtype]
        made.buffer = buffer
        self._tensors.append(made)
        self._place[name] = len(self._tensors) - 1
        return len(self._tensors) - 1

    def __getitem__(self, tensor: str) -> int:
        """Index of a tensor of the Graph."""
        if tensor not in self._place:
            return self.tensor(tensor, self.graph.shape(tensor))
        return self._place[tensor]

    def constant(self, values: Any, dtype: Any = np.float32) -> int:
        """Add a constant; returns its index."""
        array = np.ascontiguousarray(values, dtype=dtype)
        return self.tensor(f"constant/{len(self._tensors)}", array.shape, dtype, self._buffer(array))

    def weight(self, shape: Shape, fan_in: int) -> int:
        """Random weight that keeps the size of activations."""
        scale = fan_in**-0.5
        size = int(np.prod(shape))
        key = ("weight", size, scale)
        if key not in self._shared:
            numbers = self._random.standard_normal(size, dtype=np.float32) * np.float32(scale)
            self._shared[key] = self._buffer(numbers)
        return self.tensor(f"weight/{len(self._tensors)}", shape, np.float32, self._shared[key])

    def vector(self, size: int, value: float | None = None) -> int:
        """Shift of each channel; random where no value is given."""
        numbers = self._random.uniform(0.05, 0.2, size) if value is None else np.full(size, value)
        return self.constant(numbers)

    def _buffer(self, array: Any) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), dtype=np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1

    def temporary(self, shape: Shape) -> int:
        """Add a tensor between two ops that stand for one node."""
        return self.tensor(f"temporary/{len(self._tensors)}", shape)

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: str = "",
        **values: Any,
    ) -> None:
        """Add an operator; `options` names its table of options, `values` are their fields."""
        code = getattr(self.schema.BuiltinOperator, op)
        made = self.schema.OperatorT()
        made.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options:
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            made.builtinOptions = getattr(self.schema, f"{options}T")()
            for name, value in values.items():
                setattr(made.builtinOptions, name, value)
        self._operators.append(made)

    def fused(self, node: Node) -> tuple[int, str]:
        """Return the clamping activation that follows a node, and the tensor behind both."""
        readers = self.graph.consumers(node.name)
        kinds = self.schema.ActivationFunctionType
        names = {"relu": kinds.RELU, "relu6": kinds.RELU6}
        if len(readers) == 1 and readers[0].op in names and node.name not in self.graph.outputs:
            self.written.add(readers[0].name)
            return names[readers[0].op], readers[0].name
        return kinds.NONE, node.name

    def padded(self, node: Node) -> tuple[int, int]:
        """Return the input of a window op, padded where that takes an op, and the op's own padding."""
        x = node.inputs[0]
        shape = self.graph.shape(x)
        kernel, strides, dilations = (
            node.attrs["kernel"],
            node.attrs["strides"],
            node.attrs.get("dilations", (1, 1)),
        )
        top, left = node.attrs["pads"][:2]
        # What the windows reach over the end, whether the model pads there or rounds sizes up.
        reach = [
            (node.shape[1 + i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - shape[1 + i] - before
            for i, before in enumerate((top, left))
        ]
        pads = (top, left, max(reach[0], 0), max(reach[1], 0))
        padding = self.schema.Padding
        if pads == (0, 0, 0, 0):
            return self[x], padding.VALID
        if pads == same_pads(shape[1:3], kernel, strides, dilations):
            return self[x], padding.SAME
        wide = (shape[0], shape[1] + pads[0] + pads[2], shape[2] + pads[1] + pads[3], shape[3])
        out = self.temporary(wide)
        amounts = self.constant([[0, 0], [pads[0], pads[2]], [pads[1], pads[3]], [0, 0]], np.int32)
        self.add("PAD", [self[x], amounts], [out], "PadOptions")
        return out, padding.VALID

    def model(self) -> Any:
        """Return the finished model."""
        schema = self.schema
        subgraph = schema.SubGraphT()
        subgraph.name = self.graph.name or "model"
        subgraph.tensors, subgraph.operators = self._tensors, self._operators
        subgraph.inputs = [self[name] for node in self.graph.inputs for name in node.tensors]
        subgraph.outputs = [self[name] for name in self.graph.outputs]
        versions = {getattr(schema.BuiltinOperator, op): version for op, version in _VERSIONS.items()}
        codes = []
        for code in self._codes:
            made = schema.OperatorCodeT()
            made.builtinCode, made.version = code, versions.get(code, 1)
            made.deprecatedBuiltinCode = min(code, 127)
            codes.append(made)
        model = schema.ModelT()
        model.version, model.description = 3, "nnmeter-nni"
        model.operatorCodes, model.subgraphs, model.buffers = codes, [subgraph], self._buffers
        return model


#: Writes one node.
Handler = Callable[[Writer, Node], None]
