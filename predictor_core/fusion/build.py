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
    head, head_attrs, last = main[0], main[0][3], main[-1]
    inputs = graph.input_shapes(head)
    if "const_shape" in head_attrs:
        constant = tuple(head_attrs["const_shape"])
        # The first operand of a product, or the sequence of a recurrent layer, tells its cost.
        first = head_attrs.get("const_first") and head.op in DENSE_OPS
        inputs = (constant, *inputs) if first else (*inputs, constant)
    output, kernel, strides, dilations, groups, extra = kernel_op(op).fields(main, graph)
    has_bias = len(main) == 1 and head_attrs.get("bias")
    label = f"{op}-{FOLDED}" if has_bias else op
    epilogue: tuple[str, ...] = ()
    previous = last[0]
    for name, merged_op, reads, attrs, _, _ in merged:
        if merged_op not in DATA_OPS:
            label = f"{label}-{merged_op}"
            epilogue = (*epilogue, merged_op)
        if merged_op in POOL_OPS:
            extra = (*attrs["kernel"], *attrs["strides"])
        if len(reads) > 1:
            inputs += tuple([graph.shape(tensor) for tensor in reads if tensor != previous])
        if "const_shape" in attrs:
            inputs = (*inputs, tuple(attrs["const_shape"]))
        previous = name
    if output is None:
        output = last[4][0]
    return make_spec((label, op, inputs, output, kernel, strides, dilations, groups, epilogue, extra, ()))
