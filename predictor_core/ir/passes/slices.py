"""One slice for one cut of a tensor, and a split where slices share it out."""

from __future__ import annotations

from predictor_core.ir.graph import Node, Shape
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("no idle movement",), ensures="merged slices", ops=("slice",))
def merged_slices(graph: MutableGraph) -> None:
    """Join slices of slices along other axes, as in ``x[:, ::2, ::2]``."""
    # Whether nothing but slices reads a slice; what is joined below does not change it.
    sliced: dict[str, bool] = {}
    for node in graph.of("slice"):
        inner = graph.producer(node.inputs[0])
        if not _is_plain(node) or not _is_plain(inner) or set(inner.attrs["axes"]) & set(node.attrs["axes"]):
            continue
        if inner.name not in sliced:
            sliced[inner.name] = not graph.is_output(inner.name) and all(
                reader.op == "slice" for reader in graph.reading(inner.name)
            )
        if sliced[inner.name]:
            attrs = {key: (*inner.attrs[key], *node.attrs[key]) for key in ("axes", "starts", "steps")}
            graph.replace(node, "slice", inner.inputs, attrs)


def _is_plain(node: Node) -> bool:
    return (
        node.op == "slice"
        and len(node.inputs) == 1
        and all(key in node.attrs for key in ("axes", "starts", "steps"))
    )


@graph_pass(requires=("merged slices",), ensures="splits", ops=("slice",))
def joined_slices(graph: MutableGraph) -> None:
    """Turn slices that share out a tensor along one axis, in order and without a gap, into one ``split``."""
    looked: set[str] = set()
    moved: dict[str, str] = {}
    # Shapes of the slices whose place a split has taken: until the end their readers read them by name.
    shapes: dict[str, Shape] = {}
    for node in graph.of("slice"):
        source = node.inputs[0]
        # All slices of a tensor are looked at together.
        if source in looked:
            continue
        looked.add(source)
        parts = sorted(graph.readers(source), key=_start)
        if len(parts) < 2 or not all(_continues(part, node) for part in parts):
            continue
        (axis,) = node.attrs["axes"]
        ends = [0]
        for part in parts:
            if _start(part) != ends[-1]:
                break
            ends.append(ends[-1] + part.shape[axis])
        whole = shapes[source] if source in shapes else graph.shape(source)
        if ends[-1] == whole[axis] and len(ends) == len(parts) + 1:
            sizes = tuple([part.shape[axis] for part in parts])
            outputs = tuple([part.shape for part in parts])
            attrs = {"axis": axis, "sizes": sizes}
            shapes[node.name] = node.shape
            graph.replace(node, "split", (source,), attrs=attrs, outputs=outputs)
            moved.update({part.name: f"{node.name}:{index}" for index, part in enumerate(parts)})
    graph.rewire(moved)
    graph.remove(name for name in moved if name not in shapes)


def _start(node: Node) -> int:
    starts = node.attrs.get("starts", ())
    return starts[0] if len(starts) == 1 else -1


def _continues(node: Node, other: Node) -> bool:
    """Whether two slices cut the same single axis without a stride."""
    return (
        node.op == "slice"
        and len(node.inputs) == 1
        and len(node.attrs.get("axes", ())) == 1
        and node.attrs["axes"] == other.attrs.get("axes")
        and tuple(node.attrs.get("steps", (1,))) == (1,)
        and _start(node) >= 0
    )
