"""nn-Meter's working graph: its IR dict after its own renaming of ops and attributes.

Nothing here is repaired on the way: a dangling input hides the one after it, a constant takes the
shape of its partner, a grey image makes a depthwise convolution. The numbers of a 1.0 pack depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from predictor_core.errors import ModelFormatError
from predictor_core.ir.inputs import GivenShapes
from predictor_core.legacy.errors import ParityError, upstream_fault

#: Op of TensorFlow or ONNX -> type that rules and features speak of. An op that is absent keeps its name.
OP_TYPES: Mapping[str, str] = {
    op: kind
    for kind, ops in {
        "add": "Add Biasadd",
        "avgpool": "AvgPool AveragePool",
        "bn": "FusedBatchNorm FusedBatchNormV3 BatchNormalization",
        "concat": "ConcatV2 Concat",
        "conv": "Conv2D Conv",
        "div": "Div",
        "dwconv": "DepthwiseConv2dNative",
        "fc": "MatMul Gemm",
        "gap": "Mean ReduceMean GlobalAveragePool",
        "hardsigmoid": "HardSigmoid",
        "maxpool": "MaxPool",
        "mul": "Mul",
        "pad": "Pad",
        "relu": "Relu Relu6 Clip",
        "reshape": "Reshape Flatten",
        "split": "Split Slice",
        "transpose": "Transpose",
    }.items()
    for op in ops.split()
}

_ELEMENTWISE = ("add", "mul", "div", "sub")


@dataclass(eq=False)
class UpstreamNode:
    """One node: `type`, `attr`, shapes as printed in the IR, names of its neighbours (with repeats).

    `members` holds the names of the IR nodes that were fused into it.
    """

    type: str
    attr: Mapping[str, Any]
    input_shape: GivenShapes
    output_shape: Any
    inbounds: list[str]
    members: tuple[str, ...]
    outbounds: list[str] = field(default_factory=list)


class UpstreamGraph:
    """The nodes by name, in upstream's order (which decides ties).

    Parameters
    ----------
    ir : mapping
        nn-Meter IR: node name -> ``{"inbounds", "outbounds", "attr"}``. It is not changed.

    Raises
    ------
    ModelFormatError
        `ir` is not such a mapping.
    ParityError
        nn-Meter itself fails to read it.
    """

    def __init__(self, ir: Mapping[str, Any]) -> None:
        if not isinstance(ir, Mapping):
            raise ModelFormatError(f"got a {type(ir).__name__}; expected an nn-Meter IR dict")
        self.nodes: dict[str, UpstreamNode] = {}
        self._readers: dict[str, dict[str, int]] | None = None
        sourceless = set()
        for name, entry in ir.items():
            if not isinstance(entry, Mapping) or not isinstance(entry.get("attr"), Mapping):
                raise ModelFormatError(
                    f"node {name!r} of the nn-Meter IR is not an object with the key 'attr'"
                )
            with upstream_fault(f"node {name!r}"):
                self.nodes[name] = _read_node(name, entry)
            if "inbounds" not in entry:
                sourceless.add(name)
        self._connect(sourceless)

    def _connect(self, sourceless: set[str]) -> None:
        """Set `outbounds` from `inbounds`, drop dangling inputs and then isolated nodes.

        Upstream removes from the list that it iterates, so the input after a dangling one is seen only in
        the next pass; a node that looks isolated until then is lost. It stops after two idle passes.
        """
        nodes = self.nodes
        dropped_before = -1
        while True:
            for node in nodes.values():
                node.outbounds = []
            for name, node in nodes.items():
                position = 0
                while position < len(node.inbounds):
                    source = node.inbounds[position]
                    if source in nodes:
                        nodes[source].outbounds.append(name)
                    else:
                        node.inbounds = [other for other in node.inbounds if other != source]
                    position += 1
            isolated = [name for name, node in nodes.items() if not node.outbounds and not node.inbounds]
            for name in isolated:
                if name in sourceless:
                    raise ParityError(
                        f"node {name!r} has no key 'inbounds' and no reader; nn-Meter fails on it"
                    )
                del nodes[name]
            if dropped_before == 0 and not isolated:
                return
            dropped_before = len(isolated)

    def successors(self) -> dict[str, dict[str, int]]:
        """Readers of every node with the number of edges to each, both in upstream's order."""
        if self._readers is not None:
            return self._readers
        readers: dict[str, dict[str, int]] = {}
        for name, node in self.nodes.items():
            readers.setdefault(name, {})
            for source in node.inbounds:
                edges = readers.setdefault(source, {})
                edges[name] = edges.get(name, 0) + 1
        self._readers = readers
        return readers

    def fuse(self, names: list[str], type: str) -> None:
        """Replace nodes by one of the given type, unless one of them is gone already."""
        nodes = self.nodes
        group = set(names)
        if not all(name in nodes for name in names):
            return
        root = nodes[self._root(names[0], group)]
        fused_name = ";".join(names)
        members = tuple(member for name in names for member in nodes[name].members)
        fused = UpstreamNode(type, root.attr, root.input_shape, root.output_shape, [], members)
        for name in names:
            for source in nodes[name].inbounds:
                if source not in group:
                    _link(nodes[source].outbounds, name, fused_name)
                    if source not in fused.inbounds:
                        fused.inbounds.append(source)
            for reader in nodes[name].outbounds:
                if reader not in group:
                    _link(nodes[reader].inbounds, name, fused_name)
                    if reader not in fused.outbounds:
                        fused.outbounds.append(reader)
        for name in names:
            del nodes[name]
        nodes[fused_name] = fused
        self._readers = None

    def _root(self, name: str, group: set[str]) -> str:
        """Walk upwards from `name` inside the group, always to the first input."""
        while True:
            source = next((source for source in self.nodes[name].inbounds if source in group), None)
            if source is None:
                return name
            name = source

    def topological(self) -> list[str]:
        """Names by generation (distance from the inputs), ties in upstream's order.

        Raises
        ------
        ParityError
            The graph has a cycle.
        """
        readers = self.successors()
        waiting = {name: len(self.nodes[name].inbounds) for name in readers}
        order = [name for name in readers if waiting[name] == 0]
        for name in order:
            for reader, edges in readers[name].items():
                waiting[reader] -= edges
                if waiting[reader] == 0:
                    order.append(reader)
        if len(order) < len(readers):
            stuck = next(name for name in readers if waiting[name] > 0)
            raise ParityError(f"the graph has a cycle through or before node {stuck!r}; nn-Meter fails on it")
        return order


def _link(neighbours: list[str], old: str, new: str) -> None:
    """Take one edge to `old` out of the list and put `new` at its end, once."""
    if old in neighbours:
        neighbours.remove(old)
    if new not in neighbours:
        neighbours.append(new)


def _read_node(name: str, entry: Mapping[str, Any]) -> UpstreamNode:
    node = entry["attr"]
    if "type" not in node:
        raise ParityError(
            f"node {name!r} has no type: one of its tensors has no known shape, or rank 1; nn-Meter fails "
            "on it, so use predictor version 2.0 for this model"
        )
    attr = dict(node["attr"])
    inbounds = entry.get("inbounds", ())
    if not isinstance(node["type"], str) or not all(isinstance(source, str) for source in inbounds):
        raise ModelFormatError(
            f"node {name!r} of the nn-Meter IR has a type or an input that is not a string"
        )
    kind = OP_TYPES.get(node["type"], node["type"])
    input_shape = node.get("input_shape")
    if "kernel_shape" in attr:
        attr["ks"] = attr["kernel_shape"]
    if attr.get("weight_shape") is not None:
        attr["ks"] = attr["weight_shape"][0:2]
    if "ksize" in attr:
        attr["ks"] = attr["ksize"]
    if kind in _ELEMENTWISE and "input_shape" in node:
        # A scalar constant takes the shape of its partner.
        input_shape = [input_shape[0] or input_shape[1]] * len(input_shape)
    if kind == "conv" and "group" in attr and "input_shape" in node and attr["group"] == input_shape[0][3]:
        kind = "dwconv"
    return UpstreamNode(kind, attr, input_shape, node.get("output_shape"), list(inbounds), (name,))
