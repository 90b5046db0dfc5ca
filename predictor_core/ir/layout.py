"""Channels-first nodes to a channels-last Graph.

Every tensor is written once, in the layout in which the op that makes it runs: a permutation of the
dimensions that its source gives it. A transpose of the source that only says the same data in another order
is then free; a transpose is written where an op needs another layout than the one at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any

from predictor_core.errors import GraphError
from predictor_core.ir import einsum, ops
from predictor_core.ir.dims import (
    Layout,
    constant_shape,
    image_layout,
    laid_out,
    plain,
    renumbered,
    reshaped,
    without_added,
)
from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.rewrite import canonicalize
from predictor_core.ir.rewrites.draft import Draft
from predictor_core.ir.rewrites.norms import channel_first_group_norms
from predictor_core.ir.rewrites.shuffle import channel_first_shuffles

Attrs = Mapping[str, Any]

_IMAGE_OPS = (
    ops.CONV_OPS
    | ops.POOL_OPS
    | {"bn", "biasadd", "resize", "instancenorm", "groupnorm", "lrn"}
    | {"depthtospace", "spacetodepth", "channelshuffle"}
)
_SEQUENCE_OPS = frozenset({"matmul", "embedding", "lstm", "gru", "rnn", "stack"})
_ELEMENTWISE_OPS = ops.ACTIVATION_OPS | ops.UNARY_OPS | ops.FREE_OPS | {"l2norm", "roll"}
_JOINS = ops.BINARY_OPS | {"concat", "where"}
#: Ops that an image passes unharmed on its way to an op that tells that it is one.
_TRANSPARENT = _ELEMENTWISE_OPS | _JOINS | {"pad", "slice", "split"}


def channels_last(nodes: Iterable[Node], name: str = "", outputs: Iterable[str] = ()) -> Graph:
    """Return the canonical, channels-last Graph of nodes written channels first.

    Parameters
    ----------
    nodes : iterable of Node
        Shapes and attributes (``axis``, ``axes``, ``perm``, ``pads`` of ``pad``, ``const_shape``) as the
        source has them, (N, C, H, W) for images. ``kernel``, ``strides``, ``dilations`` and conv ``pads`` as
        in every Graph; for images with one spatial dimension, (k, 1).
    name : str
        Name of the model.
    outputs : iterable of str, optional
        Tensors that the model returns.

    Returns
    -------
    Graph
        Images are (N, H, W, C); those of rank 3 that meet convs and pools, (N, L, 1, C). What is not an image
        keeps its layout.

    Raises
    ------
    GraphError
        When the nodes are no valid graph.
    """
    graph = Graph(nodes, name, outputs)
    draft = Draft(graph)
    channel_first_shuffles(draft)
    channel_first_group_norms(draft)
    if draft.changed:
        graph = draft.graph()
    return canonicalize(_Conversion(graph).result())


class _Conversion:
    """One walk over a channels-first graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.at: dict[str, tuple[str, Layout]] = {}
        self.moved: dict[tuple[str, Layout], str] = {}
        self.names = {node.name for node in graph.nodes}
        self.free: dict[str, None] = dict.fromkeys(graph.free)

    def result(self) -> Graph:
        for node in self.graph.nodes:
            if node.op == "input":
                is_image = _is_image(self.graph, node)
                self.write(node, (), node.attrs, image_layout(len(node.shape)) if is_image else None)
            elif node.inputs and node.op in _HANDLERS:
                _HANDLERS[node.op](self, node)
            else:
                _unknown(self, node)
        outputs = [self.at[tensor][0] for tensor in self.graph.outputs]
        return Graph(self.nodes, self.graph.name, dict.fromkeys(outputs), self.free)

    def write(self, node: Node, inputs: tuple[str, ...], attrs: Attrs, layout: Layout | None) -> None:
        """Append `node` with its outputs in `layout` (None, or of another rank: that of the source)."""
        shapes = []
        for tensor, shape in zip(node.tensors, node.outputs):
            if layout is None or len(layout) - layout.count(-1) != len(shape):
                self.at[tensor] = (tensor, tuple(range(len(shape))))
                shapes.append(shape)
            else:
                self.at[tensor] = (tensor, layout)
                shapes.append(laid_out(shape, layout))
        self.nodes.append(Node(node.name, node.op, inputs, attrs, tuple(shapes), node.scope))

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
            self.names.discard(tensor)
        steps: list[tuple[str, Attrs, Layout]] = []
        if source != target:
            if -1 in have:
                steps.append(("reshape", {}, tuple(source)))
            steps.append(("transpose", {"perm": tuple([source.index(dim) for dim in target])}, tuple(target)))
        if not steps or -1 in layout:
            steps.append(("reshape", {}, layout))
        for index, (op, attrs, step) in enumerate(steps, 1):
            made = self.unique(label if index == len(steps) else f"{label}.{index}")
            self.nodes.append(Node(made, op, (name,), attrs, (laid_out(shape, step),)))
            name = made
        self.moved[moved] = name
        return name

    def unique(self, name: str) -> str:
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name


def _is_image(graph: Graph, node: Node) -> bool:
    """Whether an input of the model is an image: what first looks at its dimensions treats it as one."""
    rank = len(node.shape)
    if rank not in (3, 4, 5):
        return False
    pending, seen, bound = [node], {node.name}, False
    while pending:
        for reader in graph.consumers(pending.pop().name):
            if reader.op in _IMAGE_OPS:
                return True
            if reader.op not in _TRANSPARENT:
                bound = bound or reader.op in ops.KNOWN_OPS - ops.REDUCE_OPS
            elif reader.name not in seen:
                seen.add(reader.name)
                pending.append(reader)
    return rank == 4 and not bound


def _image(walk: _Conversion, node: Node) -> None:
    layout = image_layout(len(walk.graph.shape(node.inputs[0])))
    walk.write(node, (walk.read(node.inputs[0], layout), *node.inputs[1:]), node.attrs, layout)


def _elementwise(walk: _Conversion, node: Node) -> None:
    name, layout = walk.at[node.inputs[0]]
    walk.write(node, (name, *node.inputs[1:]), node.attrs, layout)


def _sequence(walk: _Conversion, node: Node) -> None:
    inputs = [walk.read(tensor, plain(len(walk.graph.shape(tensor)))) for tensor in node.inputs]
    walk.write(node, tuple(inputs), node.attrs, None)


def _einsum(walk: _Conversion, node: Node) -> None:
    """Write a product in Einstein's notation as transposes, reshapes and a matmul, where it is one."""
    steps = einsum.plan(node.attrs.get("equation", ""), [walk.graph.shape(tensor) for tensor in node.inputs])
    if steps is None:
        _sequence(walk, node)
        return
    names = [walk.read(tensor, plain(len(walk.graph.shape(tensor)))) for tensor in node.inputs]
    for step in steps[:-1]:
        made = walk.unique(f"{node.name}.{step.op}")
        inputs = tuple([names[place] for place in step.reads])
        walk.nodes.append(Node(made, step.op, inputs, step.attrs, (step.output,), node.scope))
        names.append(made)
    last = steps[-1]
    inputs = tuple([names[place] for place in last.reads])
    walk.write(Node(node.name, last.op, (), {}, (last.output,), node.scope), inputs, last.attrs, None)


def _expand(walk: _Conversion, node: Node) -> None:
    same_rank = len(node.shape) == len(walk.graph.shape(node.inputs[0]))
    (_elementwise if same_rank else _sequence)(walk, node)


def _fc(walk: _Conversion, node: Node) -> None:
    layout = walk.layout(node)
    last = len(walk.graph.shape(node.inputs[0])) - 1
    if layout[-1] != last:
        layout = plain(last + 1)
    walk.write(node, (walk.read(node.inputs[0], layout),), node.attrs, layout)


def _join(walk: _Conversion, node: Node) -> None:
    """Write a node whose inputs are broadcast or joined: they move to the layout that moves least."""
    rank = len(node.shape)
    shapes = [walk.graph.shape(tensor) for tensor in node.inputs]
    full = [
        (walk.at[tensor][1], prod(shape)) for tensor, shape in zip(node.inputs, shapes) if len(shape) == rank
    ]
    layout = plain(rank)
    if full:
        layout = min(
            (have for have, _ in full), key=lambda goal: sum(size for have, size in full if have != goal)
        )
    inputs = []
    for tensor, shape in zip(node.inputs, shapes):
        if len(shape) == rank:
            inputs.append(walk.read(tensor, layout))
        else:
            inputs.append(_lifted(walk, tensor, shape, layout))
    attrs = dict(node.attrs)
    if "const_shape" in attrs:
        attrs["const_shape"] = constant_shape(attrs["const_shape"], layout)
    if "axis" in attrs:
        attrs["axis"] = layout.index(attrs["axis"] % rank)
    walk.write(node, tuple(inputs), attrs, layout)


def _lifted(walk: _Conversion, tensor: str, shape: Shape, layout: Layout) -> str:
    """Read a tensor of lower rank as an operand of a broadcast in `layout`."""
    name = walk.read(tensor, plain(len(shape)))
    if layout == plain(len(layout)) or prod(shape) == 1:
        return name
    rank = len(without_added(layout))
    missing = rank - len(shape)
    kept = [dim - missing for dim in layout if dim >= missing]
    wanted = laid_out((1,) * missing + shape, layout)
    if kept != sorted(kept):
        moved = walk.unique(f"{tensor}.moved")
        perm = tuple(kept)
        walk.nodes.append(Node(moved, "transpose", (name,), {"perm": perm}, (laid_out(shape, perm),)))
        name = moved
    lifted = walk.unique(f"{tensor}.lifted")
    walk.nodes.append(Node(lifted, "reshape", (name,), {}, (wanted,)))
    return lifted


def _along_axis(walk: _Conversion, node: Node) -> None:
    """Write an op whose attributes name dimensions: ``axis``, ``axes``, or one entry of ``pads`` for each."""
    name, layout = walk.at[node.inputs[0]]
    rank = len(walk.graph.shape(node.inputs[0]))
    attrs = dict(node.attrs)
    if node.op in ("layernorm", "rmsnorm"):
        first = attrs.get("axis", -1) % rank
        places = sorted(layout.index(axis) for axis in range(first, rank))
        if places[0] + len(places) != len(layout):
            layout = plain(rank)
            name, places = walk.read(node.inputs[0], layout), [first]
        attrs["axis"] = places[0]
    elif "axis" in attrs:
        attrs["axis"] = layout.index(attrs["axis"] % rank)
    if "axes" in attrs:
        attrs["axes"] = tuple([layout.index(axis % rank) for axis in attrs["axes"]])
    if "pads" in attrs:
        attrs["pads"] = tuple([(0, 0) if dim < 0 else tuple(attrs["pads"][dim]) for dim in layout])
    walk.write(node, (name, *node.inputs[1:]), attrs, layout)


def _reduction(walk: _Conversion, node: Node) -> None:
    name, layout = walk.at[node.inputs[0]]
    rank = len(walk.graph.shape(node.inputs[0]))
    given = node.attrs.get("axes", node.attrs.get("axis", range(rank)))
    gone = {axis % rank for axis in ([given] if isinstance(given, int) else given)} or set(range(rank))
    attrs = dict(node.attrs)
    if "axis" in attrs:
        attrs["axis"] = layout.index(attrs["axis"] % rank)
    else:
        attrs["axes"] = tuple([place for place, dim in enumerate(layout) if dim < 0 or dim in gone])
    if len(node.shape) < rank:
        layout = renumbered([dim for dim in layout if dim >= 0 and dim not in gone])
    walk.write(node, (name, *node.inputs[1:]), attrs, layout)


def _gather(walk: _Conversion, node: Node) -> None:
    rank = len(walk.graph.shape(node.inputs[0]))
    if len(node.inputs) > 1 or len(node.shape) not in (rank, rank - 1) or "axis" not in node.attrs:
        _sequence(walk, node)
        return
    name, layout = walk.at[node.inputs[0]]
    axis = node.attrs["axis"] % rank
    attrs = {**node.attrs, "axis": layout.index(axis)}
    if len(node.shape) < rank:
        if -1 in layout:
            layout = plain(rank)
            name, attrs["axis"] = walk.read(node.inputs[0], layout), axis
        layout = renumbered([dim for dim in layout if dim != axis])
    walk.write(node, (name,), attrs, layout)


def _transpose(walk: _Conversion, node: Node) -> None:
    name, have = walk.at[node.inputs[0]]
    perm = tuple(node.attrs["perm"])
    same_data = tuple([-1 if dim < 0 else perm.index(dim) for dim in have])
    rank = len(perm)
    if [dim for dim in same_data if dim >= 0] in (sorted(perm), list(without_added(image_layout(rank)))):
        walk.at[node.name] = (name, same_data)
        walk.free[node.name] = None
        return
    source = tuple([dim for dim in have if dim >= 0])
    name = walk.read(node.inputs[0], source)
    walk.write(node, (name,), {**node.attrs, "perm": tuple([source.index(dim) for dim in perm])}, None)


def _reshape(walk: _Conversion, node: Node) -> None:
    name, have = walk.at[node.inputs[0]]
    before, after = walk.graph.shape(node.inputs[0]), node.shape
    if prod(before) != prod(after):
        raise GraphError(f"node {node.name!r} reshapes {list(before)} to {list(after)}: the sizes differ")
    layout = reshaped(before, after, [dim for dim in have if dim >= 0])
    if layout is None:
        name, layout = walk.read(node.inputs[0], plain(len(before))), plain(len(after))
    walk.write(node, (name,), {}, layout)


def _unknown(walk: _Conversion, node: Node) -> None:
    """Write an op of which nothing is known as it stands; outputs of an image's rank stay images."""
    names = tuple([walk.at[tensor][0] for tensor in node.inputs])
    layouts = [walk.at[tensor][1] for tensor in node.inputs]
    rank = len(node.shape)
    layout = next((have for have in layouts if len(without_added(have)) == rank), None)
    walk.write(node, names, node.attrs, layout)


_HANDLERS: dict[str, Callable[[_Conversion, Node], None]] = {
    **dict.fromkeys(_IMAGE_OPS, _image),
    **dict.fromkeys(_ELEMENTWISE_OPS, _elementwise),
    **dict.fromkeys(_SEQUENCE_OPS, _sequence),
    **dict.fromkeys(_JOINS, _join),
    **dict.fromkeys(ops.REDUCE_OPS, _reduction),
    **dict.fromkeys(("softmax", "logsoftmax", "layernorm", "rmsnorm", "split", "slice", "pad"), _along_axis),
    "Einsum": _einsum,
    "expand": _expand,
    "fc": _fc,
    "gather": _gather,
    "reshape": _reshape,
    "transpose": _transpose,
}
