"""The Nodes of one kernel -> its KernelSpec."""

from __future__ import annotations

from collections.abc import Sequence

from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.ops import DATA_OPS, DENSE_OPS, POOL_OPS
from predictor_core.kernels.registry import kernel_op
from predictor_core.kernels.spec import FOLDED, KernelSpec, make_spec


def main_op(node: Node, graph: Graph) -> str:
    """Name that a node has in the table of kernels; its row settles what the canonical op leaves open."""
    variant = kernel_op(node.op).variant
    return node.op if variant is None else variant(node, graph)


def build(op: str, main: Sequence[Node], merged: Sequence[Node], graph: Graph) -> KernelSpec:
    """Spec of a kernel.

    Parameters
    ----------
    op : str
        Name of the main op, or of the pattern, in the table of kernels.
    main : sequence of Node
        The main node, or the nodes of the pattern, in order.
    merged : sequence of Node
        Nodes merged after it, in order.
    graph : Graph
        The graph they are in.
    """
    head = main[0]
    previous, _, _, _, outputs, _ = main[-1]
    head_attrs = head.attrs
    inputs = list(graph.input_shapes(head))
    if "const_shape" in head_attrs:
        constant = tuple(head_attrs["const_shape"])
        # The first operand of a product, or the sequence of a recurrent layer, tells its cost.
        first = head_attrs.get("const_first") and head.op in DENSE_OPS
        inputs.insert(0 if first else len(inputs), constant)
    epilogue: list[str] = []
    pool: tuple[int, ...] = ()
    for node in merged:
        name, merged_op, reads, attrs, _, _ = node
        if merged_op not in DATA_OPS:
            epilogue.append(merged_op)
        if merged_op in POOL_OPS:
            pool = (*attrs["kernel"], *attrs["strides"])
        if len(reads) > 1:
            inputs += [graph.shape(tensor) for tensor in reads if tensor != previous]
        if "const_shape" in attrs:
            inputs.append(tuple(attrs["const_shape"]))
        previous = name
    has_bias = head_attrs.get("bias") and len(main) == 1
    label = "-".join((op, FOLDED, *epilogue) if has_bias else (op, *epilogue))
    output, kernel, strides, dilations, groups, extra = kernel_op(op).fields(main, graph)
    if output is None:
        output = outputs[0]
    merged_ops = tuple(epilogue)
    return make_spec(
        (label, op, tuple(inputs), output, kernel, strides, dilations, groups, merged_ops, pool or extra, ())
    )
