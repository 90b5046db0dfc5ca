"""How each op is written channels last: which layout it reads, and what becomes of its attributes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from predictor_core.errors import GraphError
from predictor_core.ir import einsum, ops
from predictor_core.ir.dims import (
    Layout,
    constant_shape,
    image_layout,
    in_layout,
    renumbered,
    reshaped,
    source_layout,
    without_added,
)
from predictor_core.ir.graph import Node, Shape
from predictor_core.ir.layout.walk import LayoutWalk

_TRANSPARENT_LAYOUTS = frozenset({"elementwise", "join"})
_TRANSPARENT_OPS = frozenset({"pad", "slice", "split"})


def takes(node: Node, read: Shape) -> str:
    """Return what an op tells of what it reads.

    Parameters
    ----------
    node : Node
        Channels first.
    read : tuple of int
        Shape of what it reads.

    Returns
    -------
    str
        ``"image"``; ``"anything"`` where an image passes it unharmed on its way to an op that tells;
        ``"other"``: no image; ``""`` where it tells nothing.
    """
    row = ops.find(node.op)
    if row is None:
        return ""
    if row.layout == "image":
        return "image"
    unchanged = row.layout == "reshape" and node.shape == read
    if unchanged or row.layout in _TRANSPARENT_LAYOUTS or node.op in _TRANSPARENT_OPS:
        return "anything"
    return "" if row.group == "reduce" else "other"


def _image(walk: LayoutWalk, node: Node) -> None:
    first = node.inputs[0]
    layout = image_layout(len(walk.graph.shape(first)))
    walk.write(node, (walk.read(first, layout), *_others(walk, node)), node.attrs, layout)


def _others(walk: LayoutWalk, node: Node) -> tuple[str, ...]:
    """Tensors that a node reads after the first, as they stand: computed weights, indices, sizes."""
    others = node.inputs[1:]
    return tuple([walk.at[tensor][0] for tensor in others]) if others else others


def _elementwise(walk: LayoutWalk, node: Node) -> None:
    name, layout = walk.at[node.inputs[0]]
    walk.write(node, (name, *_others(walk, node)), node.attrs, layout)


def _sequence(walk: LayoutWalk, node: Node) -> None:
    inputs = [walk.read(tensor, source_layout(len(walk.graph.shape(tensor)))) for tensor in node.inputs]
    walk.write(node, tuple(inputs), node.attrs, None)


def _einsum(walk: LayoutWalk, node: Node) -> None:
    """Write a product in Einstein's notation as transposes, reshapes and a matmul, where it is one."""
    equation = node.attrs.get("equation", "")
    shapes = [walk.graph.shape(tensor) for tensor in node.inputs]
    constant = node.attrs.get("const_shape")
    if constant is not None:
        # The constant goes to the right, where a plain matrix is the weight of an fc.
        shapes.append(tuple(constant))
        if node.attrs.get("const_first"):
            terms, _, out = equation.partition("->")
            equation = ",".join(reversed(terms.split(","))) + "->" + out
    steps = einsum.plan(equation, shapes)
    if steps is None:
        _sequence(walk, node)
        return
    names: list[str | None] = [
        walk.read(tensor, source_layout(len(walk.graph.shape(tensor)))) for tensor in node.inputs
    ]
    made_shapes = [*shapes, *(step.output for step in steps)]
    if constant is not None:
        names.append(None)
    for step in steps:
        reads = tuple([name for name in (names[place] for place in step.reads) if name is not None])
        if not reads:
            names.append(None)
            continue
        op, attrs = step.op, dict(step.attrs)
        if len(reads) < len(step.reads):
            operand = made_shapes[step.reads[1]]
            if op == "matmul" and len(operand) == 2:
                op, attrs = "fc", {"bias": False}
            else:
                attrs["const_shape"] = operand
        if step is steps[-1]:
            walk.write(Node(node.name, op, (), {}, (step.output,), node.scope), reads, attrs, None)
            return
        made = walk.names.fresh(f"{node.name}.{step.op}")
        walk.nodes.append(Node(made, op, reads, attrs, (step.output,), node.scope))
        names.append(made)


def _expand(walk: LayoutWalk, node: Node) -> None:
    same_rank = len(node.shape) == len(walk.graph.shape(node.inputs[0]))
    (_elementwise if same_rank else _sequence)(walk, node)


def _fc(walk: LayoutWalk, node: Node) -> None:
    layout = walk.layout(node)
    last = len(walk.graph.shape(node.inputs[0])) - 1
    if layout[-1] != last:
        layout = source_layout(last + 1)
    walk.write(node, (walk.read(node.inputs[0], layout),), node.attrs, layout)


def _join(walk: LayoutWalk, node: Node) -> None:
    """Write a node whose inputs are broadcast or joined: they move to the layout that moves least."""
    rank = len(node.shape)
    shapes = [walk.graph.shape(tensor) for tensor in node.inputs]
    have = {walk.at[tensor][1] for tensor, shape in zip(node.inputs, shapes) if len(shape) == rank}
    layout = have.pop() if len(have) == 1 else _least_moved(walk, node, shapes)
    inputs = [
        walk.read(tensor, layout) if len(shape) == rank else _lifted(walk, tensor, shape, layout)
        for tensor, shape in zip(node.inputs, shapes)
    ]
    attrs = dict(node.attrs)
    if "const_shape" in attrs:
        shape = constant_shape(attrs["const_shape"], layout)
        if all(len(one) < rank for one in shapes):
            # The result has its rank from the constant.
            shape = (1,) * (rank - len(shape)) + shape
        attrs["const_shape"] = shape
    if "axis" in attrs:
        attrs["axis"] = layout.index(attrs["axis"] % rank)
    walk.write(node, tuple(inputs), attrs, layout)


def _least_moved(walk: LayoutWalk, node: Node, shapes: list[Shape]) -> Layout:
    """Return the layout in which the operands of full rank move least."""
    rank = len(node.shape)
    sizes: dict[Layout, int] = {}
    for tensor, shape in zip(node.inputs, shapes):
        if len(shape) == rank:
            have = walk.at[tensor][1]
            sizes[have] = sizes.get(have, 0) + prod(shape)
    return max(sizes, key=lambda have: sizes[have]) if sizes else source_layout(rank)


def _lifted(walk: LayoutWalk, tensor: str, shape: Shape, layout: Layout) -> str:
    """Read a tensor of lower rank as an operand of a broadcast in `layout`."""
    name = walk.read(tensor, source_layout(len(shape)))
    if layout == source_layout(len(layout)) or prod(shape) == 1:
        return name
    rank = len(without_added(layout))
    missing = rank - len(shape)
    kept = [dim - missing for dim in layout if dim >= missing]
    wanted = in_layout((1,) * missing + shape, layout)
    if kept != sorted(kept):
        moved = walk.names.fresh(f"{tensor}.moved")
        perm = tuple(kept)
        walk.nodes.append(Node(moved, "transpose", (name,), {"perm": perm}, (in_layout(shape, perm),)))
        name = moved
    lifted = walk.names.fresh(f"{tensor}.lifted")
    walk.nodes.append(Node(lifted, "reshape", (name,), {}, (wanted,)))
    return lifted


def _along_axis(walk: LayoutWalk, node: Node) -> None:
    """Write an op whose attributes name dimensions: ``axis``, ``axes``, or one entry of ``pads`` for each."""
    name, layout = walk.at[node.inputs[0]]
    rank = len(walk.graph.shape(node.inputs[0]))
    attrs = dict(node.attrs)
    if node.op in ("layernorm", "rmsnorm"):
        first = attrs.get("axis", -1) % rank
        places = sorted(layout.index(axis) for axis in range(first, rank))
        if places[0] + len(places) != len(layout):
            layout = source_layout(rank)
            name, places = walk.read(node.inputs[0], layout), [first]
        attrs["axis"] = places[0]
    elif "axis" in attrs:
        attrs["axis"] = layout.index(attrs["axis"] % rank)
    if "axes" in attrs:
        attrs["axes"] = tuple([layout.index(axis % rank) for axis in attrs["axes"]])
    if "pads" in attrs:
        attrs["pads"] = tuple([(0, 0) if dim < 0 else tuple(attrs["pads"][dim]) for dim in layout])
    walk.write(node, (name, *_others(walk, node)), attrs, layout)


def _reduction(walk: LayoutWalk, node: Node) -> None:
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
    walk.write(node, (name, *_others(walk, node)), attrs, layout)


def _gather(walk: LayoutWalk, node: Node) -> None:
    rank = len(walk.graph.shape(node.inputs[0]))
    if len(node.inputs) > 1 or len(node.shape) not in (rank, rank - 1) or "axis" not in node.attrs:
        _sequence(walk, node)
        return
    name, layout = walk.at[node.inputs[0]]
    axis = node.attrs["axis"] % rank
    attrs = {**node.attrs, "axis": layout.index(axis)}
    if len(node.shape) < rank:
        if -1 in layout:
            layout = source_layout(rank)
            name, attrs["axis"] = walk.read(node.inputs[0], layout), axis
        layout = renumbered([dim for dim in layout if dim != axis])
    walk.write(node, (name,), attrs, layout)


def _transpose(walk: LayoutWalk, node: Node) -> None:
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


def _reshape(walk: LayoutWalk, node: Node) -> None:
    name, have = walk.at[node.inputs[0]]
    before, after = walk.graph.shape(node.inputs[0]), node.shape
    if prod(before) != prod(after):
        raise GraphError(f"node {node.name!r} reshapes {list(before)} to {list(after)}: the sizes differ")
    layout = reshaped(before, after, [dim for dim in have if dim >= 0])
    if layout is None:
        name, layout = walk.read(node.inputs[0], source_layout(len(before))), source_layout(len(after))
    walk.write(node, (name,), {}, layout)


def unknown(walk: LayoutWalk, node: Node) -> None:
    """Write an op of which nothing is known as it stands; outputs of an image's rank stay images."""
    names = tuple([walk.at[tensor][0] for tensor in node.inputs])
    layouts = [walk.at[tensor][1] for tensor in node.inputs]
    rank = len(node.shape)
    layout = next((have for have in layouts if len(without_added(have)) == rank), None)
    walk.write(node, names, node.attrs, layout)


#: Class of layout, or op with a way of its own -> the function that writes a node of it in the right layout.
HANDLERS: dict[str, Callable[[LayoutWalk, Node], None]] = {
    "image": _image,
    "elementwise": _elementwise,
    "sequence": _sequence,
    "join": _join,
    "axis": _along_axis,
    "reduction": _reduction,
    "Einsum": _einsum,
    "expand": _expand,
    "fc": _fc,
    "gather": _gather,
    "reshape": _reshape,
    "transpose": _transpose,
}


def write(walk: LayoutWalk, node: Node) -> None:
    """Write a node in the right layout."""
    _, op, inputs, _, _, _ = node
    row = ops.find(op)
    handler = HANDLERS.get(op if row is None else row.layout) if inputs else None
    (handler or unknown)(walk, node)
