"""Fold explicit padding into the windows that read it."""

from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass

#: Zero is what a conv pads with itself; a max pool does not see it where nothing is negative.
_NOT_NEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hsigmoid", "softmax"})
#: What a max pool never sees: minus infinity, or the lowest number of a type, as converters write it.
_LOWEST = -6e4


@graph_pass(requires=("no idle movement",), ensures="folded pads", ops=("pad",))
def fold_pads(graph: MutableGraph) -> None:
    """Fold a ``pad`` of height and width that changes no result into the one conv or max pool that reads it.

    Converters and device compilers do the same, and other formats have no node for it.
    """
    for pad in graph.of("pad"):
        reader = graph.only_reader(pad.name)
        if reader is None or len(pad.shape) != 4 or pad.attrs.get("mode", "constant") != "constant":
            continue
        if "pads" not in pad.attrs:
            # They are computed at run time.
            continue
        batch, rows, columns, channels = pad.attrs["pads"]
        value = pad.attrs.get("value", 0)
        if any(batch) or any(channels):
            continue
        if reader.op == "maxpool":
            unseen = value <= 0 and graph.producer(pad.inputs[0]).op in _NOT_NEGATIVE
            if not unseen and value > _LOWEST:
                continue
        elif reader.op not in ("conv", "dwconv") or value != 0:
            continue
        top, left, bottom, right = reader.attrs["pads"]
        pads = (top + rows[0], left + columns[0], bottom + rows[1], right + columns[1])
        attrs = {**reader.attrs, "pads": pads}
        graph.replace(reader, inputs=pad.inputs, attrs=attrs)
