"""Shapes that the file itself states, or that the onnx package infers, for ops that have no rule here."""

from __future__ import annotations

from typing import Any

from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS
from predictor_core.frontends.onnx.file import import_onnx
from predictor_core.frontends.onnx.inputs import dims
from predictor_core.ir.graph import Shape
from predictor_core.ir.inputs import InputShapes


class Declared:
    """Looks up output shapes: first in the file, then in what ``onnx.shape_inference`` makes of it.

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

    def __call__(self, name: str) -> Shape | None:
        """Return the shape of a tensor, or None where nobody knows it."""
        if self._stated is None:
            self._stated = _infos(self._model.graph)
        shape = self._known(self._stated.get(name))
        if shape is None:
            if self._inferred is None:
                self._inferred = self._infer()
            shape = self._known(self._inferred.get(name))
        return shape

    def _known(self, info: Any | None) -> Shape | None:
        """Return the shape that a ``ValueInfoProto`` states, or None where it leaves something open."""
        stated = None if info is None else dims(info)
        if stated is None:
            return None
        sizes = [self._given.value(dim) for dim in stated]
        known = tuple([size for size in sizes if isinstance(size, int) and size > 0])
        return known if len(known) == len(sizes) else None

    def _infer(self) -> dict[str, Any]:
        onnx = import_onnx()
        import onnx.shape_inference as shape_inference

        try:
            inferred = shape_inference.infer_shapes(self._without_weights(onnx), data_prop=True)
        except (ValueError, RuntimeError, shape_inference.InferenceError):
            return {}
        return _infos(inferred.graph)

    def _without_weights(self, onnx: Any) -> Any:
        """Return a copy with the inputs fixed, in which weights have dimensions but no numbers."""
        source = self._model.graph
        copy = onnx.ModelProto(ir_version=self._model.ir_version)
        copy.opset_import.extend(self._model.opset_import)
        graph = copy.graph
        graph.name = source.name
        graph.node.extend(source.node)
        graph.output.extend(source.output)
        for tensor in source.initializer:
            size = 1
            for dim in tensor.dims:
                size *= dim
            if size <= MAX_KNOWN_ELEMENTS:
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


def _infos(graph: Any) -> dict[str, Any]:
    return {info.name: info for info in (*graph.value_info, *graph.output)}
