"""Recognise activations that a model writes with primitive ops."""

from __future__ import annotations

import math

from predictor_core.ir.graph import Node
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.constants import close, is_scale, scalar, scaled
from predictor_core.ir.passes.contract import graph_pass

_SIXTH = 1 / 6


@graph_pass(requires=("no free ops",), ensures="named clips", ops=("clip",))
def clips(graph: MutableGraph) -> None:
    """Turn ``clip`` with the bounds of relu or relu6 into that op."""
    for node in graph.of("clip"):
        low, high = node.attrs.get("min"), node.attrs.get("max")
        if low == 0 and len(node.inputs) == 1:
            if high is None or high >= 3e38:
                graph.replace(node, "relu", node.inputs)
            elif high == 6:
                graph.replace(node, "relu6", node.inputs)


@graph_pass(requires=("named clips",), ensures="hard activations", ops=("relu6", "hsigmoid"))
def hard_activations(graph: MutableGraph) -> None:
    """Recognise ``relu6(x + 3) / 6`` as hsigmoid, and ``x * relu6(x + 3) / 6`` in any order as hswish."""
    if graph.has("relu6"):
        for node in graph.of("mul", "div"):
            if not is_scale(node, _SIXTH):
                continue
            inner = graph.producer(node.inputs[0])
            if graph.only_reader(inner.name) is None:
                continue
            source = _shifted_relu6(graph, inner.name)
            if source is not None:
                graph.replace(node, "hsigmoid", (source,))
            elif inner.op == "mul":
                for factor, other in _operands(inner):
                    if graph.only_reader(other) is inner and _shifted_relu6(graph, other) == factor:
                        graph.replace(node, "hswish", (factor,))
                        break
        for node in graph.of("mul"):
            for part, other in _operands(node):
                x = scaled(graph, part, _SIXTH)
                lone = x is not None and graph.only_reader(part) is node and graph.only_reader(other) is node
                if lone and _shifted_relu6(graph, other) == x:
                    graph.replace(node, "hswish", graph.producer(part).inputs)
                    break
    if graph.has("hsigmoid"):
        _gated(graph, "hsigmoid", "hswish")


@graph_pass(requires=("no free ops",), ensures="smooth activations", ops=("log", "sigmoid", "softplus"))
def smooth_activations(graph: MutableGraph) -> None:
    """Recognise softplus ``log(1 + exp(x))``, swish ``x * sigmoid(x)`` and mish ``x * tanh(softplus(x))``."""
    for node in graph.of("log"):
        shift = graph.producer(node.inputs[0])
        if shift.op == "add" and close(scalar(shift), 1) and graph.only_reader(shift.name) is node:
            exp = graph.producer(shift.inputs[0])
            if exp.op == "exp" and graph.only_reader(exp.name) is shift:
                graph.replace(node, "softplus", exp.inputs)
    if graph.has("sigmoid"):
        _gated(graph, "sigmoid", "swish")
    if graph.has("softplus"):
        for node in graph.of("mul"):
            for x, other in _operands(node):
                tanh = graph.producer(other)
                if tanh.op == "tanh" and graph.only_reader(other) is node:
                    soft = graph.producer(tanh.inputs[0])
                    if soft.op == "softplus" and soft.inputs == (x,) and graph.only_reader(soft.name) is tanh:
                        graph.replace(node, "mish", (x,))
                        break


@graph_pass(requires=("no free ops",), ensures="gelu", ops=("erf", "tanh"))
def gelu(graph: MutableGraph) -> None:
    """Recognise gelu, ``x * 0.5 * (1 + erf(x / sqrt(2)))`` or its tanh form, in any order of the factors."""
    for node in graph.of("erf", "tanh"):
        shift = graph.only_reader(node.name)
        if shift is not None and shift.op == "add" and close(scalar(shift), 1):
            found = _half_times_x(graph, shift)
            if found is not None:
                final, x = found
                if _inside_gelu(graph, node, x):
                    graph.replace(final, "gelu", (x,))


def _operands(node: Node) -> tuple[tuple[str, str], ...]:
    if len(node.inputs) != 2:
        return ()
    first, second = node.inputs
    return ((first, second), (second, first))


def _gated(graph: MutableGraph, gate_op: str, op: str) -> None:
    """Turn ``x * gate(x)`` into `op`."""
    for gate in graph.of(gate_op):
        node = graph.only_reader(gate.name)
        if node is not None and node.op == "mul" and len(node.inputs) == 2:
            x = gate.inputs[0]
            if x in node.inputs:
                graph.replace(node, op, (x,))


def _shifted_relu6(graph: MutableGraph, tensor: str) -> str | None:
    """Return x when `tensor` is ``relu6(x + 3)`` and nothing else reads the sum."""
    relu = graph.producer(tensor)
    if relu.op == "relu6":
        shift = graph.producer(relu.inputs[0])
        if shift.op == "add" and close(scalar(shift), 3) and graph.only_reader(shift.name) is relu:
            return shift.inputs[0]
    return None


def _half_times_x(graph: MutableGraph, node: Node) -> tuple[Node, str] | None:
    """Follow the products behind `node` until both 0.5 and x are in; return the last product and x."""
    x: str | None = None
    halved = False
    while x is None or not halved:
        product = graph.only_reader(node.name)
        if product is None:
            return None
        if not halved and is_scale(product, 0.5):
            halved = True
        elif x is None and product.op == "mul" and len(product.inputs) == 2:
            other = product.inputs[product.inputs[0] == node.name]
            half = None if halved else scaled(graph, other, 0.5)
            if half is not None and graph.only_reader(other) is product:
                x, halved = half, True
            else:
                x = other
        else:
            return None
        node = product
    return node, x


def _inside_gelu(graph: MutableGraph, node: Node, x: str) -> bool:
    """Whether the argument of `node` (erf or tanh) is the one that gelu has, made of nothing but x."""
    if node.op == "erf":
        return scaled(graph, node.inputs[0], math.sqrt(0.5)) == x
    cubic = False
    pending, seen = [node.inputs[0]], {x}
    while pending:
        tensor = pending.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        part = graph.producer(tensor)
        if part.op not in ("mul", "add", "pow", "square") or len(seen) > 9:
            return False
        cubic = cubic or close(scalar(part), 0.044715)
        pending.extend(part.inputs)
    return cubic
