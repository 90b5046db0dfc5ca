"""Scalar operands of binary nodes, as patterns look for them."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph


def scalar(node: Node) -> float | None:
    """Scalar constant operand of a binary node, or None where both operands are tensors."""
    value = node.attrs.get("const") if len(node.inputs) == 1 else None
    return float(value) if isinstance(value, (int, float)) else None


def close(value: float | None, wanted: float) -> bool:
    """Whether a constant is the wanted one, allowing for the digits that a file keeps."""
    return value is not None and abs(value - wanted) <= 1e-3 * abs(wanted)


def scaled(graph: MutableGraph, tensor: str, factor: float) -> str | None:
    """Return x when `tensor` is ``x * factor`` (or ``x / (1 / factor)``), else None."""
    node = graph.producer(tensor)
    return node.inputs[0] if is_scale(node, factor) else None


def is_scale(node: Node, factor: float) -> bool:
    """Whether a node multiplies its one input by `factor`, written as a product or a quotient."""
    if node.op == "mul":
        return close(scalar(node), factor)
    if node.op == "div":
        return close(scalar(node), 1 / factor) and not node.attrs.get("const_first")
    return False
