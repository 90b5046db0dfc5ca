"""The state of the conversion from channels first to channels last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from predictor_core.ir.dims import Layout, in_layout
from predictor_core.ir.graph import Node, make_node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.names import Names

Attrs = Mapping[str, Any]


class LayoutWalk:
    """One walk over a channels-first graph: what is written so far, and where each source tensor is in it.

    ``at`` maps a tensor of the source to the tensor written for it and its layout; ``free`` holds the
    transposes that were not needed so far.
    """

    def __init__(self, graph: MutableGraph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.at: dict[str, tuple[str, Layout]] = {}
        self.moved: dict[tuple[str, Layout], str] = {}
        self.names = Names(graph.nodes)
        self.free: dict[str, None] = dict.fromkeys(graph.free)

    def write(self, node: Node, inputs: tuple[str, ...], attrs: Attrs, layout: Layout | None) -> None:
        """Append `node` with its outputs in `layout` (None, or of another rank: that of the source)."""
        name, op, _, _, made, scope = node
        if len(made) == 1 and layout is not None and len(layout) == len(made[0]) and -1 not in layout:
            self.at[name] = (name, layout)
            self.nodes.append(make_node((name, op, inputs, attrs, (in_layout(made[0], layout),), scope)))
            return
        shapes = []
        for tensor, shape in zip(node.tensors, made):
            if layout is None or len(layout) - layout.count(-1) != len(shape):
                self.at[tensor] = (tensor, tuple(range(len(shape))))
                shapes.append(shape)
            else:
                self.at[tensor] = (tensor, layout)
                shapes.append(in_layout(shape, layout))
        self.nodes.append(Node(name, op, inputs, attrs, tuple(shapes), scope))

    def layout(self, node: Node) -> Layout:
        """Layout of the first tensor that a node reads."""
        return self.at[node.inputs[0]][1]

    def read(self, tensor: str, layout: Layout) -> str:
        """Name of `tensor` in `layout`; writes a transpose or a reshape where it is not at hand."""
        name, have = self.at[tensor]
        if have == layout:
            return name
        moved = (tensor, layout)
        found = self.moved.get(moved)
        if found is not None:
            return found
        shape = self.graph.shape(tensor)
        source = [dim for dim in have if dim >= 0]
        target = [dim for dim in layout if dim >= 0]
        # A transpose of the source that was not needed so far is needed here: it keeps its name.
        label = tensor.replace(":", ".") + ".moved"
        if tensor in self.free:
            label = tensor
            del self.free[tensor]
            self.names.release(tensor)
        steps: list[tuple[str, Attrs, Layout]] = []
        if source != target:
            if -1 in have:
                steps.append(("reshape", {}, tuple(source)))
            steps.append(("transpose", {"perm": tuple([source.index(dim) for dim in target])}, tuple(target)))
        if not steps or -1 in layout:
            steps.append(("reshape", {}, layout))
        scope = self.graph.producer(tensor).scope
        for index, (op, attrs, step) in enumerate(steps, 1):
            made = self.names.fresh(label if index == len(steps) else f"{label}.{index}")
            self.nodes.append(Node(made, op, (name,), attrs, (in_layout(shape, step),), scope))
            name = made
        self.moved[moved] = name
        return name
