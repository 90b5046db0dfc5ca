"""NAS-Bench-201: a fixed skeleton around one cell of four nodes and six edges."""

from __future__ import annotations

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Shape
from predictor_core.zoo.builder import Builder

_CELLS, _WIDTHS = 5, (16, 32, 64)
_DEFAULT = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"

Edge = tuple[str, int]


def nasbench201(arch: str = _DEFAULT, classes: int = 10, input_shape: Shape = (1, 32, 32, 3)) -> Graph:
    """NAS-Bench-201 network of the cell `arch`, in the benchmark's own notation.

    Each node of the cell is a list ``|op~input|op~input|``; nodes are joined by ``+``. Ops: ``none``,
    ``skip_connect``, ``nor_conv_1x1``, ``nor_conv_3x3``, ``avg_pool_3x3``.
    """
    cell = parse_arch(arch)
    b = Builder("nasbench201", input_shape)
    x = b.bn_act(b.conv(b.input, "stem.conv", _WIDTHS[0], 3), "stem", "")
    number = 0
    for stage, width in enumerate(_WIDTHS):
        if stage:
            x = _downsample(b, x, str(number), width)
            number += 1
        for _ in range(_CELLS):
            x = _cell(b, x, str(number), cell)
            number += 1
    x = b.bn_act(x, "last")
    b.fc(b.flat(x, pool="gap"), "fc", classes)
    return b.graph()


def parse_arch(arch: str) -> list[list[Edge]]:
    """Split an architecture string into (op, input node) edges per node.

    Raises
    ------
    PredictorError
        When the string is not in the notation, or names an op that the benchmark does not have.
    """
    ops = {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}
    cell: list[list[Edge]] = []
    for node, part in enumerate(arch.split("+"), start=1):
        edges: list[Edge] = []
        for edge in part.strip("|").split("|"):
            op, _, source = edge.partition("~")
            if op not in ops or not source.isdigit() or int(source) >= node:
                raise PredictorError(
                    f"edge {edge!r} of architecture {arch!r}: expected op~input with op one of "
                    f"{', '.join(sorted(ops))} and input below {node}"
                )
            edges.append((op, int(source)))
        cell.append(edges)
    return cell


def _cell(b: Builder, x: str, stem: str, cell: list[list[Edge]]) -> str:
    nodes = [x]
    for i, terms in enumerate(_resolve(cell)):
        tensors = [_edge(b, nodes[source], f"{stem}.{i}.{j}", op) for j, op, source in terms]
        total = tensors[0] if tensors else ""
        for k, tensor in enumerate(tensors[1:]):
            total = b.op("add", f"{stem}.{i}.add{k}", total, tensor)
        nodes.append(total)
    return nodes[-1]


def _resolve(cell: list[list[Edge]]) -> list[list[tuple[int, str, int]]]:
    """Edges to build per node, as (position, op, source), as the measured models have them.

    An edge ``none`` is dropped. A node left without edges repeats the node before it, or is missing
    where that is the cell's input, and so are the edges that read it. Nodes that the last one does
    not depend on are not built.
    """
    source_of: dict[int, int | None] = {0: 0}
    terms: list[list[tuple[int, str, int]]] = []
    for node, edges in enumerate(cell, start=1):
        kept = []
        for j, (op, read) in enumerate(edges, start=1):
            source = source_of[read]
            if op != "none" and source is not None:
                kept.append((j, op, source))
        terms.append(kept)
        if kept:
            source_of[node] = node
        else:
            source_of[node] = source_of[node - 1] if node > 1 else None
    last = source_of[len(cell)]
    if last is None:
        raise PredictorError("the cell's output is not connected to its input")
    used, waiting = set(), [last]
    while waiting:
        node = waiting.pop()
        used.add(node)
        waiting.extend(source for _, _, source in terms[node - 1] if source)
    return [kept if node in used else [] for node, kept in enumerate(terms[:last], start=1)]


def _edge(b: Builder, x: str, stem: str, op: str) -> str:
    if op == "skip_connect":
        return x
    if op == "avg_pool_3x3":
        return b.pool(x, "avgpool", f"{stem}.avgpool", 3, 1)
    y = b.act(x, stem, "relu")
    return b.bn_act(b.conv(y, f"{stem}.conv", b.shape(x)[-1], 3 if op == "nor_conv_3x3" else 1), stem, "")


def _downsample(b: Builder, x: str, stem: str, width: int) -> str:
    kept = b.pool(x, "avgpool", f"{stem}.downsample.avgpool", 2, 2, "VALID")
    kept = b.conv(kept, f"{stem}.downsample.conv", width, 1)
    y = b.bn_act(b.conv(x, f"{stem}.1.conv", width, 3, 2), f"{stem}.1")
    y = b.bn_act(b.conv(y, f"{stem}.2.conv", width, 3), f"{stem}.2", "")
    return b.op("add", f"{stem}.add", y, kept)
