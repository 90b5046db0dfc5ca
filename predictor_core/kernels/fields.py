"""From the nodes of a kernel to the fields of its `KernelSpec` that depend on the op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Callable, Optional

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.kernels.spec import ONE, Pair

#: Fields of a `KernelSpec` that depend on the op: output (None: that of the last node), kernel, strides,
#: dilations, groups, extra.
Fields = tuple[Optional[Shape], Pair, Pair, Pair, int, tuple[int, ...]]

FieldsFunction = Callable[[Sequence[Node], Graph], Fields]
VariantFunction = Callable[[Node, Graph], str]

#: Axes of height and width of an image.
_MAP_AXES = frozenset({(1, 2), (2, 1), (-3, -2), (-2, -3)})


def _without_window(output: Shape | None = None, groups: int = 1, extra: tuple[int, ...] = ()) -> Fields:
    return output, ONE, ONE, ONE, groups, extra


def plain(main: Sequence[Node], graph: Graph) -> Fields:
    """Return the fields of an op that has none of its own."""
    return _without_window()


def window(main: Sequence[Node], graph: Graph) -> Fields:
    """Return window, strides, dilations and groups of an op on images."""
    attrs = main[0][3]
    return _window(attrs, attrs.get("groups", 1))


def depthwise(main: Sequence[Node], graph: Graph) -> Fields:
    """Return the same as `window`; there is a group for each channel."""
    return _window(main[0].attrs, graph.shape(main[0].inputs[0])[-1])


def _window(attrs: Mapping[str, Any], groups: int) -> Fields:
    kernel, strides, dilations = attrs["kernel"], attrs.get("strides", ONE), attrs.get("dilations", ONE)
    return (
        None,
        (kernel[0], kernel[1]),
        (strides[0], strides[1]),
        (dilations[0], dilations[1]),
        groups,
        (),
    )


def conv3d(main: Sequence[Node], graph: Graph) -> Fields:
    """Return groups, and the window in ``extra``."""
    attrs = main[0].attrs
    return _without_window(groups=attrs.get("groups", 1), extra=tuple(attrs["kernel"]))


def se(main: Sequence[Node], graph: Graph) -> Fields:
    """Return the channels between the two fully connected layers."""
    middle = next(node.outputs[0][-1] for node in main if node.op in ("conv", "fc"))
    return _without_window(extra=(middle,))


def recurrent(main: Sequence[Node], graph: Graph) -> Fields:
    """Return what `predictor_core.kernels.costs.recurrent` reads."""
    attrs = main[0].attrs
    projection = (attrs["projection"],) if attrs.get("projection") else ()
    directions = 2 if attrs.get("bidirectional") else 1
    return _without_window(extra=(attrs["hidden"], attrs.get("layers", 1), directions, *projection))


def axis(main: Sequence[Node], graph: Graph) -> Fields:
    """Return the axis, unless it is the last."""
    node = main[0]
    rank = len(node.outputs[0])
    axis = node.attrs.get("axis", -1) % rank
    return _without_window() if axis == rank - 1 else _without_window(extra=(axis,))


def split(main: Sequence[Node], graph: Graph) -> Fields:
    """Return the elements of each output."""
    return _without_window(extra=tuple(prod(shape) for shape in main[0].outputs))


def shuffle(main: Sequence[Node], graph: Graph) -> Fields:
    """Return the groups of channels."""
    return _without_window(groups=main[0].attrs.get("groups", 1))


def pooled(main: Sequence[Node], graph: Graph) -> Fields:
    """Drop height and width from the output: with or without dimensions of size 1, the work is the same."""
    output = main[-1].outputs[0]
    return _without_window((output[0], output[-1]))


def grouped(op: str) -> VariantFunction:
    """Name `op` for a convolution in several groups."""
    return lambda node, graph: op if node.attrs.get("groups", 1) != 1 else node.op


def over_map(op: str) -> VariantFunction:
    """Name `op` for a reduction over height and width of an image."""
    return lambda node, graph: (
        op
        if tuple(node.attrs.get("axes", ())) in _MAP_AXES and len(graph.shape(node.inputs[0])) == 4
        else node.op
    )
