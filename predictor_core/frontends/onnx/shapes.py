"""Shapes that the file itself states, or that the onnx package infers, for ops that have no rule here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Optional

import numpy as np

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS, Value
from predictor_core.frontends.onnx.file import import_onnx
from predictor_core.frontends.onnx.inference import infer, is_control_flow
from predictor_core.frontends.onnx.inputs import dims
from predictor_core.ir.graph import Shape
from predictor_core.ir.inputs import InputShapes

#: Sizes of the dimensions of a tensor; None for one that is not known.
Sizes = tuple[Optional[int], ...]


class Declared:
    """Looks up output shapes: in the file, then in what onnx infers of a node, or of the whole file.

    Parameters
    ----------
    model : ModelProto
        Not changed.
    inputs : dict
        Shape of each input of the model.
    given : InputShapes
        Knows the sizes of symbolic dimensions.
    """

    def __init__(self, model: Any, inputs: dict[str, Shape], given: InputShapes) -> None:
        self._model = model
        self._inputs = inputs
        self._given = given
        self._stated: dict[str, Any] | None = None
        self._inferred: dict[str, Any] | None = None

    def __call__(self, node: Any, inputs: Sequence[Value | None], count: int) -> list[Sizes | None]:
        """Return the sizes of the first `count` outputs of a node; None where not even the rank is known.

        Parameters
        ----------
        node : NodeProto
            The node.
        inputs : sequence of Value or None
            What it reads.
        count : int
            Number of outputs that matter.
        """
        if self._stated is None:
            self._stated = _infos(self._model.graph)
        names = node.output[:count]
        found: list[Sizes | None] = [None] * len(names)
        stated = self._stated
        sources: tuple[Callable[[], dict[str, Any]], ...] = (
            lambda: stated,
            lambda: self._infer_node(node, inputs),
            self._infer,
        )
        for source in sources:
            infos = source()
            found = [_merged(have, self._sizes(infos.get(name))) for have, name in zip(found, names)]
            if all(sizes is not None and None not in sizes for sizes in found):
                break
        return found

    def _sizes(self, info: Any | None) -> Sizes | None:
        if info is None or info.type.WhichOneof("value") != "tensor_type":
            return None
        stated = dims(info)
        if stated is None:
            return None
        sizes = [self._given.value(dim) for dim in stated]
        return tuple([size if isinstance(size, int) and size > 0 else None for size in sizes])

    def _infer_node(self, node: Any, inputs: Sequence[Value | None]) -> dict[str, Any]:
        """Infer one node alone, from the shapes and numbers that are known here and not in the file."""
        onnx = import_onnx()
        if is_control_flow(node):
            return {}
        one = onnx.ModelProto(ir_version=self._model.ir_version)
        one.opset_import.extend(self._model.opset_import)
        one.graph.name = "node"
        one.graph.node.append(node)
        for name, value in zip(node.input, inputs):
            if value is None:
                continue
            if value.array is not None:
                one.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value.array), name))
                kind = one.graph.initializer[-1].data_type
            else:
                kind = self._kind(name)
            # Of a long vector that an op takes for a shape, onnx makes as many dimensions.
            long = len(value.shape) == 1 and value.shape[0] > MAX_KNOWN_ELEMENTS
            shape = None if long and name != node.input[0] else value.shape
            one.graph.input.append(onnx.helper.make_tensor_value_info(name, kind, shape))
        one.graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
        return _inferred(one, False)

    def _kind(self, name: str) -> int:
        """Return the element type of a tensor, as far as the file says it; else float."""
        info = (self._stated or {}).get(name)
        return (info.type.tensor_type.elem_type if info is not None else 0) or 1

    def _infer(self) -> dict[str, Any]:
        if self._inferred is None:
            self._inferred = _inferred(self._without_weights(import_onnx()), True)
        return self._inferred

    def _without_weights(self, onnx: Any) -> Any:
        """Return a copy with the inputs fixed, in which weights have dimensions but no numbers."""
        source = self._model.graph
        copy = onnx.ModelProto(ir_version=self._model.ir_version)
        copy.opset_import.extend(self._model.opset_import)
        graph = copy.graph
        graph.name = source.name
        graph.node.extend(node for node in source.node if not is_control_flow(node))
        graph.output.extend(source.output)
        for tensor in source.initializer:
            if prod(tensor.dims) <= MAX_KNOWN_ELEMENTS:
                graph.initializer.append(tensor)
            else:
                info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                graph.input.append(info)
        for info in source.input:
            if info.name in self._inputs:
                kind = info.type.tensor_type.elem_type
                graph.input.append(
                    onnx.helper.make_tensor_value_info(info.name, kind, self._inputs[info.name])
                )
        return copy


def _inferred(model: Any, propagate: bool) -> dict[str, Any]:
    try:
        return _infos(infer(model, propagate=propagate))
    except ModelFormatError:
        return {}


def _merged(first: Sizes | None, second: Sizes | None) -> Sizes | None:
    """Return what either of two sources knows; the first wins."""
    if first is None or second is None or len(first) != len(second):
        return second if first is None else first
    return tuple([b if a is None else a for a, b in zip(first, second)])


def _infos(graph: Any) -> dict[str, Any]:
    return {info.name: info for info in (*graph.value_info, *graph.output)}
