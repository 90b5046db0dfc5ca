"""Read an nn-Meter IR document into a Graph."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from predictor_core.budget import NODES_PER_LOOK, meter
from predictor_core.errors import MALFORMED, GraphError, ModelFormatError, PredictorError
from predictor_core.frontends.nnmeter_ir.document import check_document, in_order, read_document
from predictor_core.frontends.nnmeter_ir.generic import NO_ATTRS
from predictor_core.frontends.nnmeter_ir.source import Constant, channels_to_front, make_source
from predictor_core.frontends.nnmeter_ir.types import BARE, INPUT_TYPES, convert, is_channels_first
from predictor_core.ir.graph import Graph, Node, Shape, make_node
from predictor_core.ir.inputs import GivenShapes, InputShapes
from predictor_core.ir.layout import channels_last
from predictor_core.ir.names import Names
from predictor_core.ir.passes import canonical_graph

#: Types that read nothing: inputs and constants.
_SOURCE_TYPES = INPUT_TYPES | {"Const", "Constant", "Variable", "VariableV2", "VarHandleOp"}

#: Types whose result depends on shapes alone.
_SHAPE_TYPES = frozenset({"Shape", "Size", "Rank"})

#: Types that read weights, which a document may name without listing them as nodes.
_WEIGHTED_TYPES = frozenset(
    {
        "Conv2D",
        "DepthwiseConv2dNative",
        "Conv2DBackpropInput",
        "Conv",
        "ConvTranspose",
        "FusedBatchNorm",
        "FusedBatchNormV2",
        "FusedBatchNormV3",
        "BatchNormalization",
        "BiasAdd",
        "MatMul",
        "Gemm",
        "PRelu",
    }
)


#: How TensorFlow calls what it reads from a variable.
_VARIABLE_ENDINGS = ("/read", "/ReadVariableOp")


def load(
    model: Mapping[str, Any] | str | os.PathLike[str],
    *,
    input_shape: GivenShapes = None,
) -> Graph:
    """Convert an nn-Meter IR document to a Graph.

    Shapes are inferred from the Placeholders; a stated shape counts where nothing can be inferred.
    The document is not changed.

    Parameters
    ----------
    model : mapping, str or path
        The document, or the JSON file that holds it.
    input_shape : optional
        Fills the open dimensions of the Placeholders; see `predictor_core.ir.inputs.InputShapes`.

    Raises
    ------
    ModelFormatError
        When the model is no nn-Meter IR.
    GraphError
        When its nodes do not form a valid graph. The message names the node.

    Examples
    --------
    >>> document = {
    ...     "x": {"attr": {"type": "Placeholder", "attr": {"shape": [1, 8, 8, 3]}}},
    ...     "y": {"inbounds": ["x"], "attr": {"type": "Relu"}},
    ... }
    >>> load(document)["y"].shape
    (1, 8, 8, 3)
    """
    name = ""
    if isinstance(model, (str, os.PathLike)):
        name, model = Path(model).stem, read_document(model)
    else:
        check_document(model)
    meter().spend(nodes=len(model))
    try:
        return _Reader(model, input_shape).graph(name)
    except _OutOfOrder:
        return _Reader(in_order(model), input_shape).graph(name)


class _OutOfOrder(Exception):
    """A node stands before one that it reads."""


class _Reader:
    """State of one conversion: the shapes of the tensors that are known so far."""

    def __init__(self, document: Mapping[str, Any], input_shape: GivenShapes) -> None:
        self.document = document
        self.given = InputShapes(input_shape)
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {}
        self.shape_of = self.shapes.__getitem__
        self.constants: dict[str, Constant] = {}
        self.several: dict[str, int] = {}
        self.implicit: dict[tuple[int | None, ...], str] = {}
        self.returns: dict[int, str] = {}
        self.siblings: dict[str, str] = {}
        self.names = Names(document)
        self.meter = meter()
        self.channels_first = is_channels_first(document)

    def graph(self, name: str) -> Graph:
        document = self.document
        for place, (node_name, entry) in enumerate(document.items()):
            if not place % NODES_PER_LOOK:
                self.meter.look()
            try:
                self._read(node_name, entry)
            except MALFORMED as error:
                attr = entry["attr"]
                raise ModelFormatError(
                    f"node {node_name!r} ({attr['type']}) has attributes or shapes that can't be read: "
                    f"{attr.get('attr')}"
                ) from error
        self.given.check_all_used()
        outputs = [self.returns[position] for position in sorted(self.returns)]
        if self.channels_first:
            return channels_last(self.nodes, name, outputs, self.given.warnings, self.meter.look)
        warnings = self.given.warnings
        return canonical_graph(self.nodes, name, outputs, warnings=warnings, look=self.meter.look)

    def _read(self, name: str, entry: Mapping[str, Any]) -> None:
        attr = entry["attr"]
        kind = attr["type"]
        bounds = entry.get("inbounds", ())
        if kind in BARE and len(bounds) == 1 and bounds[0] in self.shapes:
            # Most nodes of a network; the rest takes a closer look.
            self._add(name, BARE[kind], tuple(bounds), NO_ATTRS, (self.shapes[bounds[0]],), attr)
            return
        if kind in _SOURCE_TYPES:
            if kind in INPUT_TYPES:
                self._add(name, "input", (), {}, (self._placeholder(name, attr),), attr)
            else:
                self.constants[name] = _constant(attr)
            return
        constants: Sequence[Constant] = ()
        constant_first = False
        inputs = tuple(bounds)
        try:
            read = (self.shapes[inputs[0]],) if len(inputs) == 1 else tuple(map(self.shape_of, inputs))
        except KeyError:
            inputs, constants, constant_first = self._resolved(name, kind, entry)
            read = tuple(map(self.shape_of, inputs))
        if not inputs:
            if constants:
                # Computed from constants alone: a constant whose values are not known.
                stated = attr.get("output_shape") or [()]
                self.constants[name] = constants[0] if kind == "Identity" else (tuple(stated[0]), None)
                return
            inputs = (self._implicit_input(name, attr),)
            read = (self.shapes[inputs[0]],)
        elif kind in _SHAPE_TYPES:
            self.constants[name] = ((len(read[0]),), None)
            return
        attrs, stated = attr.get("attr") or {}, attr.get("output_shape")
        node = make_source((kind, attrs, read, stated, constants, constant_first, self.channels_first))
        try:
            op, converted, outputs = convert(node)
        except PredictorError as error:
            raise type(error)(f"node {name!r} ({kind}): {error}") from error
        self._add(name, op, inputs, converted, outputs, attr)

    def _resolved(
        self, name: str, kind: str, entry: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], list[Constant], bool]:
        """Tensors and constants that a node reads, and whether a constant comes first."""
        inputs: list[str] = []
        constants: list[Constant] = []
        constant_first = False
        for index, source in enumerate(entry["inbounds"]):
            if source in self.shapes:
                inputs.append(source)
            elif source in self.constants:
                constant_first = constant_first or not inputs
                constants.append(self.constants[source])
            elif source in self.several:
                inputs.append(self._slot(name, entry, source, index, len(inputs), inputs))
            elif source in self.document:
                raise _OutOfOrder
            elif source in self.siblings:
                inputs.append(self.siblings[source])
            elif not (inputs and (kind in _WEIGHTED_TYPES or source.endswith(_VARIABLE_ENDINGS))):
                inputs.append(self._dangling(name, kind, source))
        return tuple(inputs), constants, constant_first

    def _add(
        self,
        name: str,
        op: str,
        inputs: tuple[str, ...],
        attrs: Mapping[str, Any],
        outputs: tuple[Shape, ...],
        attr: Mapping[str, Any],
    ) -> None:
        node = make_node((name, op, inputs, attrs, outputs, attr.get("scope", "")))
        self.nodes.append(node)
        if len(outputs) == 1:
            (self.shapes[name],) = outputs
        else:
            self.several[name] = len(outputs)
            self.meter.spend(nodes=len(outputs))
            self.shapes.update(zip(node.tensors, outputs))
        if "returns" in attr:
            for slot, position in attr["returns"]:
                if type(position) is not int:
                    raise TypeError("a position among the outputs is no whole number")
                self.returns[position] = node.tensors[slot]

    def _placeholder(self, name: str, attr: Mapping[str, Any]) -> Shape:
        stated = (attr.get("attr") or {}).get("shape")
        if stated is None:
            stated = (attr.get("output_shape") or [None])[0]
        return self._ordered(self.given.resolve(name, stated))

    def _ordered(self, shape: Shape) -> Shape:
        return channels_to_front(shape) if self.channels_first else shape

    def _implicit_input(self, name: str, attr: Mapping[str, Any]) -> str:
        """Name of the input that a node without inbounds reads; documents of ONNX models omit it."""
        stated = attr.get("input_shape")
        if not isinstance(stated, (list, tuple)) or not stated or not isinstance(stated[0], (list, tuple)):
            raise GraphError(f"node {name!r} ({attr['type']}) reads nothing and states no input_shape")
        # Documents of ONNX models write 0 for a symbolic dimension.
        shape = tuple([None if dim == 0 else dim for dim in stated[0]])
        if shape not in self.implicit:
            new = "input" if not self.implicit else f"input_{len(self.implicit)}"
            new = self.names.fresh(new)
            self.implicit[shape] = new
            self._add(new, "input", (), {}, (self._ordered(self.given.resolve(new, shape)),), {})
        return self.implicit[shape]

    def _slot(
        self, name: str, entry: Mapping[str, Any], producer: str, index: int, position: int, taken: list[str]
    ) -> str:
        """Tensor of a producer with several outputs that a node reads; inbounds name nodes only.

        Written documents state it (``input_slots``). Otherwise the stated input shape decides where
        it fits one output alone, then the place in the producer's outbounds.
        """
        count = self.several[producer]
        slots = (entry["attr"].get("attr") or {}).get("input_slots")
        if slots is not None and index < len(slots):
            return f"{producer}:{int(slots[index])}"
        if self.document[producer]["attr"]["type"] == "Slice":
            return f"{producer}:0"
        used = sum(tensor.startswith(f"{producer}:") for tensor in taken)
        stated = entry["attr"].get("input_shape") or ()
        if position < len(stated):
            shape = self._ordered(tuple(stated[position]))
            fitting = [slot for slot in range(count) if self.shapes[f"{producer}:{slot}"] == shape]
            if len(fitting) == 1:
                return f"{producer}:{fitting[0]}"
        outbounds = self.document[producer].get("outbounds", ())
        if len(outbounds) == count:
            places = [slot for slot, reader in enumerate(outbounds) if reader == name]
            if used < len(places):
                return f"{producer}:{places[used]}"
        return f"{producer}:{used % count}"

    def _dangling(self, name: str, kind: str, source: object) -> str:
        """Tensor that a missing inbound stands for: a slice that was merged into another node."""
        for producer, count in self.several.items():
            if self.document[producer]["attr"]["type"] == "Slice":
                taken = [other for other in self.siblings.values() if other.startswith(f"{producer}:")]
                if len(taken) < count - 1:
                    self.siblings[str(source)] = f"{producer}:{len(taken) + 1}"
                    return self.siblings[str(source)]
        raise GraphError(f"node {name!r} ({kind}) reads {source!r}, which is not in the nn-Meter IR")


def _constant(attr: Mapping[str, Any]) -> Constant:
    attrs = attr.get("attr") or {}
    shape = attrs.get("tensor_shape")
    if shape is None:
        shape = (attr.get("output_shape") or [()])[0]
    value = attrs.get("constant", attrs.get("value"))
    if isinstance(value, (list, tuple)) and len(value) == 1 and not shape:
        value = value[0]
    return tuple(shape), value
