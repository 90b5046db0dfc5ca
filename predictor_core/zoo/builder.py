"""A small writer of Graphs in TensorFlow's style: NHWC, ``SAME`` padding, batch norm as its own node."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.ops import infer
from predictor_core.ir.shapes import same_pads


class Builder:
    """Collects Nodes; every method adds one op (or one idiom) and returns its tensor.

    Parameters
    ----------
    name : str
        Name of the Graph.
    input_shape : tuple of int
        Shape of the input, channels last with batch.
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        if len(input_shape) != 4:
            raise PredictorError(f"input_shape must be (batch, height, width, channels), got {input_shape}")
        self.name = name
        self.nodes: list[Node] = []
        self._shapes: dict[str, Shape] = {}
        self._used: dict[str, int] = {}
        self.input = self._append(Node("input", "input", outputs=(tuple(input_shape),)))

    def shape(self, tensor: str) -> Shape:
        """Shape of a tensor made so far."""
        return self._shapes[tensor]

    def graph(self) -> Graph:
        """Return the finished Graph."""
        return Graph(self.nodes, name=self.name)

    def unique(self, stem: str) -> str:
        """Return `stem`, then ``stem_1``, ``stem_2``, ... at each further call."""
        count = self._used.get(stem, 0)
        self._used[stem] = count + 1
        return f"{stem}_{count}" if count else stem

    def numbered(self, stem: str) -> str:
        """Return ``stem_0``, ``stem_1``, ... at each call."""
        count = self._used.get(stem, 0)
        self._used[stem] = count + 1
        return f"{stem}_{count}"

    def op(self, op: str, name: str, *inputs: str, **attrs: Any) -> str:
        """Add an op whose shape follows from its inputs and attributes."""
        shapes = tuple(self._shapes[tensor] for tensor in inputs)
        outputs = infer(op, attrs, shapes)
        if outputs is None:
            raise PredictorError(f"the shape of op {op!r} can't be inferred")
        return self._append(Node(name, op, inputs, attrs, outputs))

    def conv(
        self, x: str, name: str, filters: int, kernel: int, stride: int = 1, padding: str = "SAME"
    ) -> str:
        """Add a convolution without bias."""
        return self.op("conv", name, x, filters=filters, **self._window(x, kernel, stride, padding), groups=1)

    def dwconv(self, x: str, name: str, kernel: int, stride: int = 1) -> str:
        """Add a depthwise convolution without bias."""
        channels = self._shapes[x][-1]
        window = self._window(x, kernel, stride, "SAME")
        return self.op("dwconv", name, x, filters=channels, **window, groups=channels)

    def pool(
        self, x: str, op: str, name: str, kernel: int | tuple[int, int], stride: int, padding: str = "SAME"
    ) -> str:
        """Add a ``maxpool`` or an ``avgpool``."""
        window = self._window(x, kernel, stride, padding)
        return self.op(op, name, x, **{key: window[key] for key in ("kernel", "strides", "pads")})

    def fc(self, x: str, name: str, filters: int) -> str:
        """Add a fully connected layer without bias."""
        return self.op("fc", name, x, filters=filters, bias=False)

    def bn_act(self, x: str, stem: str, act: str = "relu") -> str:
        """Add a batch norm and an activation (``""`` for none)."""
        return self.act(self.op("bn", f"{stem}.bn", x), stem, act)

    def act(self, x: str, stem: str, act: str) -> str:
        """Add ``relu``, ``relu6``, or h-swish written as x · relu6(x + 3) / 6; ``""`` adds nothing."""
        if act != "hswish":
            return self.op(act, f"{stem}.{act}", x) if act else x
        gate = self._hard_sigmoid(x, f"{stem}.hswish")
        return self.op("mul", f"{stem}.hswish.mul_1", x, gate)

    def squeeze_excite(self, x: str) -> str:
        """Add a squeeze-and-excite block that reduces the channels to a quarter."""
        stem = self.unique("SE")
        _, height, width, channels = self._shapes[x]
        gate = self.pool(x, "avgpool", f"{stem}.avgpool", (height, width), 1, "VALID")
        gate = self.conv(gate, f"{stem}.conv1", channels // 4, 1)
        gate = self.op("relu", f"{stem}.relu", self.op("biasadd", f"{stem}.conv1.bias", gate))
        gate = self.conv(gate, f"{stem}.conv2", channels, 1)
        gate = self._hard_sigmoid(self.op("biasadd", f"{stem}.conv2.bias", gate), stem)
        return self.op("mul", f"{stem}.mul_1", gate, x)

    def concat(self, tensors: Sequence[str]) -> str:
        """Concatenate on the channels."""
        return self.op("concat", self.numbered("concat"), *tensors, axis=3)

    def reshape(self, x: str, name: str, shape: Shape) -> str:
        """Add a reshape."""
        return self.op("reshape", name, x, shape=shape)

    def flat(self, x: str, pool: str = "reduce_mean_0") -> str:
        """Average over height and width and drop both."""
        pooled = self.op("reduce_mean", pool, x, axes=(1, 2), keepdims=True)
        shape = self._shapes[pooled]
        return self.reshape(pooled, "flatten", (shape[0], prod(shape[1:])))

    def _hard_sigmoid(self, x: str, stem: str) -> str:
        gate = self.op("relu6", f"{stem}.relu6", self.op("add", f"{stem}.add", x, const=3.0))
        return self.op("mul", f"{stem}.mul", gate, const=0.16667)

    def _window(self, x: str, kernel: int | tuple[int, int], stride: int, padding: str) -> dict[str, Any]:
        size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        strides = (stride, stride)
        pads: tuple[int, ...] = (0, 0, 0, 0)
        if padding == "SAME":
            pads = same_pads(self._shapes[x][1:3], size, strides)
        return {"kernel": size, "strides": strides, "pads": pads, "dilations": (1, 1), "bias": False}

    def _append(self, node: Node) -> str:
        self.nodes.append(node)
        self._shapes.update(zip(node.tensors, node.outputs))
        return node.name


def of_stages(widths: Sequence[int], counts: Sequence[int]) -> list[int]:
    """Return the width of each block of stages of some blocks."""
    return [width for width, count in zip(widths, counts) for _ in range(count)]


def per_block(name: str, values: Sequence[int], blocks: int) -> tuple[int, ...]:
    """Check that an argument has one number per block.

    Raises
    ------
    PredictorError
        When it has another count.
    """
    if len(values) != blocks:
        raise PredictorError(f"{name} needs {blocks} numbers, one per block; got {len(values)}")
    return tuple(values)
