"""Canonical form: the same architecture is the same Graph, in whatever format and form it came."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.activations import clips, gelu, hard_activations, smooth_activations
from predictor_core.ir.passes.bias import fold_bias, join_affine
from predictor_core.ir.passes.concats import joined_concats
from predictor_core.ir.passes.contract import GraphPass
from predictor_core.ir.passes.convs import depthwise
from predictor_core.ir.passes.dead import drop_dead
from predictor_core.ir.passes.dilation import dilated_convs
from predictor_core.ir.passes.free import drop_free, drop_noops
from predictor_core.ir.passes.indices import wrapped_indices
from predictor_core.ir.passes.norms import l2_norms, moment_norms, root_norms
from predictor_core.ir.passes.pads import fold_pads
from predictor_core.ir.passes.pools import global_pools, pool_indices
from predictor_core.ir.passes.products import flat_products
from predictor_core.ir.passes.shuffle import channel_shuffles
from predictor_core.ir.passes.slices import joined_slices, merged_slices

#: Each pass relies on those before it: patterns are matched where free ops are gone, and a scalar sum
#: is part of an activation before it could be taken for a shift.
PASSES: tuple[GraphPass, ...] = (
    drop_dead,
    drop_free,
    dilated_convs,
    wrapped_indices,
    depthwise,
    channel_shuffles,
    drop_noops,
    joined_concats,
    fold_pads,
    pool_indices,
    merged_slices,
    joined_slices,
    global_pools,
    clips,
    root_norms,
    moment_norms,
    l2_norms,
    hard_activations,
    smooth_activations,
    gelu,
    flat_products,
    fold_bias,
    join_affine,
)


def canonicalize(graph: Graph) -> Graph:
    """Return the canonical form of a Graph: fewer nodes, the same computation.

    Drops free ops (their names go to ``Graph.free``) and what no output depends on, names composite ops
    (hswish, gelu, layernorm, ...), brings global pools to one form, and folds batch norms and per-channel
    shifts into the convs that they follow (attribute ``bias``). Linear in the graph; a Graph that is
    canonical already is returned as it is.

    Parameters
    ----------
    graph : Graph
        Channels last, as every Graph.

    Returns
    -------
    Graph
        Surviving nodes keep their names; a composite has the name of its last node.
    """
    mutable = MutableGraph.of_graph(graph)
    return mutable.freeze() if run_passes(mutable) else graph


def canonical_graph(
    nodes: Iterable[Node],
    name: str = "",
    outputs: Iterable[str] = (),
    free: Iterable[str] = (),
    warnings: Iterable[str] = (),
    look: Callable[[], None] | None = None,
) -> Graph:
    """Return the canonical Graph of channels-last nodes; see `Graph`, and `run_passes` for `look`."""
    mutable = MutableGraph(nodes, name, outputs, free, warnings)
    run_passes(mutable, look=look)
    return mutable.freeze()


def run_passes(
    graph: MutableGraph, passes: Iterable[GraphPass] = PASSES, look: Callable[[], None] | None = None
) -> list[str]:
    """Run passes in order, by default those to the canonical form; return the names of those that changed it.

    Parameters
    ----------
    graph : MutableGraph
        Rewritten in place.
    passes : iterable of GraphPass
        What to run.
    look : callable, optional
        Called before each pass; it ends the work by raising, where that takes more time than it may.

    Raises
    ------
    GraphError
        When a node is malformed; the message names it, or the pass that met it.
    """
    changed = []
    for one in passes:
        if look is not None:
            look()
        if one(graph):
            changed.append(one.name)
    return changed
