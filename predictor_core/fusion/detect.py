"""Graph + rules -> kernels, in one pass over the Graph."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from predictor_core.fusion.build import build, main_op
from predictor_core.fusion.context import contexts
from predictor_core.fusion.patterns import match
from predictor_core.fusion.rules import Pattern, Rules
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.ops import BINARY_OPS, free_ops
from predictor_core.kernels.spec import Kernel, make_kernel

_NOTHING: frozenset[str] = frozenset()
_NAME = itemgetter(0)


class _OpenKernel:
    """A kernel that may still take in nodes of the ops that it `accepts`."""

    __slots__ = ("accepts", "main", "merged", "op", "position")

    def __init__(self, op: str, main: tuple[Node, ...], position: int, rules: Rules) -> None:
        self.op = op
        self.main = main
        self.merged: list[Node] = []
        self.accepts = rules.pairs.get(op, _NOTHING)
        self.position = position


def detect(graph: Graph, rules: Rules) -> list[Kernel]:
    """Cut a Graph into kernels.

    Every node that is not free is in exactly one kernel. A node joins the kernel that makes its input
    when the rules pair it with that kernel's last op and nothing else reads the tensor between them. Of
    several inputs the kernel that runs last takes it, because by then the other inputs exist.

    Parameters
    ----------
    graph : Graph
        Canonical graph (batch norms and biases folded, composites recognised).
    rules : Rules
        Rules of the device.

    Returns
    -------
    list of Kernel
        In execution order of their main nodes.
    """
    open_kernels: list[_OpenKernel] = []
    #: Whose a node is: by its name, and by its tensors where it has several.
    owner: dict[str, _OpenKernel] = {}
    starts = rules.patterns_from
    pairs = rules.pairs
    free = free_ops()
    returned = {graph.producer(tensor).name for tensor in graph.outputs}
    for node in graph.nodes:
        name, op, inputs, _, outputs, _ = node
        if op in free or name in owner:
            continue
        kernel = _matched(rules, starts[op], node, graph, len(open_kernels)) if op in starts else None
        if kernel is not None:
            for member in kernel.main:
                owner.update(dict.fromkeys((member.name, *member.tensors), kernel))
            open_kernels.append(kernel)
            continue
        latest = None
        for tensor in inputs:
            maker = owner.get(tensor)
            if maker is not None and (latest is None or maker.position > latest.position):
                latest = maker
        if latest is not None and op in latest.accepts:
            # Only its last node can be what is read: all others have a reader in it, and no second one.
            made, _, _, _, before, _ = latest.merged[-1] if latest.merged else latest.main[-1]
            if (
                made not in returned
                and len(graph.consumers(made)) == 1
                # A larger second operand would repeat the result of the kernel.
                and not (op in BINARY_OPS and outputs[0] != before[0])
            ):
                latest.merged.append(node)
                latest.accepts = pairs.get(f"{latest.op}-{op}", pairs.get(op, _NOTHING))
                kernel = latest
        if kernel is None:
            kernel = _OpenKernel(main_op(node, graph), (node,), len(open_kernels), rules)
            open_kernels.append(kernel)
        owner[name] = kernel
        if len(outputs) > 1:
            owner.update(dict.fromkeys(node.tensors, kernel))
    kernels = [_finish(kernel, graph) for kernel in open_kernels]
    return _with_context(kernels, open_kernels, owner, graph, rules) if rules.engine else kernels


def _with_context(
    kernels: list[Kernel],
    open_kernels: list[_OpenKernel],
    owner: dict[str, _OpenKernel],
    graph: Graph,
    rules: Rules,
) -> list[Kernel]:
    # Who makes what a node yields; a free node passes on its input.
    makers: dict[str, int | None] = {}
    for node in graph.nodes:
        if node.name in owner:
            makers[node.name] = owner[node.name].position
        else:
            makers[node.name] = makers[graph.producer(node.inputs[0]).name] if node.inputs else None
    reads: list[list[int]] = []
    for kernel in open_kernels:
        found = [
            makers[graph.producer(tensor).name]
            for node in (*kernel.main, *kernel.merged)
            for tensor in node.inputs
        ]
        reads.append([maker for maker in found if maker is not None and maker != kernel.position])
    around = contexts([kernel.spec for kernel in kernels], reads, rules.engine)
    return [
        kernel._replace(spec=kernel.spec._replace(context=context)) if context else kernel
        for kernel, context in zip(kernels, around)
    ]


def _matched(
    rules: Rules, patterns: Sequence[Pattern], node: Node, graph: Graph, position: int
) -> _OpenKernel | None:
    for pattern in patterns:
        chain = match(pattern, node, graph)
        if chain is not None:
            return _OpenKernel(pattern.name, chain, position, rules)
    return None


def _finish(kernel: _OpenKernel, graph: Graph) -> Kernel:
    main, merged = kernel.main, kernel.merged
    nodes = tuple(map(_NAME, (*main, *merged)))
    return make_kernel((build(kernel.op, main, merged, graph), nodes[0], nodes, main[0].scope))
