"""Channels-first nodes to a channels-last Graph.

Every tensor is written once, in the layout in which the op that makes it runs: a permutation of the
dimensions that its source gives it. A transpose of the source that only says the same data in another order
is then free; a transpose is written where an op needs another layout than the one at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from predictor_core.ir.dims import image_layout
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.layout.ops import takes, write
from predictor_core.ir.layout.walk import LayoutWalk
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes import PASSES, graph_pass, run_passes
from predictor_core.ir.passes.norms import channel_first_group_norms
from predictor_core.ir.passes.shuffle import channel_first_shuffles, channel_first_unshuffles


def channels_last(
    nodes: Iterable[Node],
    name: str = "",
    outputs: Iterable[str] = (),
    warnings: Iterable[str] = (),
    look: Callable[[], None] | None = None,
) -> Graph:
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
    warnings : iterable of str, optional
        As for `Graph`.
    look : callable, optional
        As for `run_passes`.

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
    graph = MutableGraph(nodes, name, outputs, warnings=warnings)
    run_passes(graph, (*_CHANNELS_FIRST_PASSES, move_channels, *PASSES), look)
    return graph.freeze()


@graph_pass(ensures="channels last")
def move_channels(graph: MutableGraph) -> None:
    """Write every node channels last where it works on an image, with transposes where data must move."""
    walk = LayoutWalk(graph)
    images = _images(graph)
    for node in graph:
        if node.op == "input":
            layout = image_layout(len(node.shape)) if node.name in images else None
            walk.write(node, (), node.attrs, layout)
        else:
            write(walk, node)
    written = dict.fromkeys(walk.at[tensor][0] for tensor in graph.outputs)
    graph.free = list(walk.free)
    graph.reset(walk.nodes, written)


_CHANNELS_FIRST_PASSES = (channel_first_shuffles, channel_first_unshuffles, channel_first_group_norms)


def _images(graph: MutableGraph) -> set[str]:
    """Names of the inputs that are images: what first looks at their dimensions treats them as such."""
    # Whether an op that works on images, and one that works on other things, is reached from a node.
    looks: dict[str, tuple[bool, bool]] = {}
    images = set()
    for node in graph.of("input"):
        rank = len(node.shape)
        if rank in (3, 4, 5):
            image, bound = _look(graph, node, looks)
            if image or (rank == 4 and not bound):
                images.add(node.name)
    return images


def _look(graph: MutableGraph, start: Node, looks: dict[str, tuple[bool, bool]]) -> tuple[bool, bool]:
    """Find out `looks` of a node, by way of those behind it that tell nothing themselves."""
    pending = [start]
    while pending:
        node = pending[-1]
        if node.name in looks:
            pending.pop()
            continue
        image = bound = False
        unknown = []
        for tensor, shape in zip(node.tensors, node.outputs):
            for reader in graph.reading(tensor):
                taken = takes(reader, shape)
                if taken == "anything":
                    beyond = looks.get(reader.name)
                    if beyond is None:
                        unknown.append(reader)
                    else:
                        image, bound = image or beyond[0], bound or beyond[1]
                else:
                    image, bound = image or taken == "image", bound or taken == "other"
        if not unknown:
            looks[node.name] = (image, bound)
        pending += unknown
    return looks[start.name]
