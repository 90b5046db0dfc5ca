"""Recognise activations that a model spells with primitive ops."""

from __future__ import annotations

import math

from predictor_core.ir.graph import Node
from predictor_core.ir.passes.draft import Draft, close, is_scale, retyped, scalar, scaled

_SIXTH = 1 / 6


def clips(draft: Draft) -> None:
    """Turn ``clip`` with the bounds of relu or relu6 into that op."""
    for node in draft.of("clip"):
        low, high = node.attrs.get("min"), node.attrs.get("max")
        if low == 0 and len(node.inputs) == 1:
            if high is None or high >= 3e38:
                draft.put(retyped(node, "relu", node.inputs))
            elif high == 6:
                draft.put(retyped(node, "relu6", node.inputs))


def hard_activations(draft: Draft) -> None:
    """Recognise ``relu6(x + 3) / 6`` as hsigmoid, and ``x * relu6(x + 3) / 6`` in any order as hswish."""
    if draft.has("relu6"):
        for node in draft.of("mul", "div"):
            if not is_scale(node, _SIXTH):
                continue
            inner = draft.producer(node.inputs[0])
            if draft.only_reader(inner.name) is None:
                continue
            source = _shifted_relu6(draft, inner.name)
            if source is not None:
                draft.put(retyped(node, "hsigmoid", (source,)))
            elif inner.op == "mul":
                for factor, other in _operands(inner):
                    if draft.only_reader(other) is inner and _shifted_relu6(draft, other) == factor:
                        draft.put(retyped(node, "hswish", (factor,)))
                        break
        for node in draft.of("mul"):
            for part, other in _operands(node):
                x = scaled(draft, part, _SIXTH)
                lone = x is not None and draft.only_reader(part) is node and draft.only_reader(other) is node
                if lone and _shifted_relu6(draft, other) == x:
                    draft.put(retyped(node, "hswish", draft.producer(part).inputs))
                    break
    if draft.has("hsigmoid"):
        _gated(draft, "hsigmoid", "hswish")


def smooth_activations(draft: Draft) -> None:
    """Recognise softplus ``log(1 + exp(x))``, swish ``x * sigmoid(x)`` and mish ``x * tanh(softplus(x))``."""
    for node in draft.of("log"):
        shift = draft.producer(node.inputs[0])
        if shift.op == "add" and close(scalar(shift), 1) and draft.only_reader(shift.name) is node:
            exp = draft.producer(shift.inputs[0])
            if exp.op == "exp" and draft.only_reader(exp.name) is shift:
                draft.put(retyped(node, "softplus", exp.inputs))
    if draft.has("sigmoid"):
        _gated(draft, "sigmoid", "swish")
    if draft.has("softplus"):
        for node in draft.of("mul"):
            for x, other in _operands(node):
                tanh = draft.producer(other)
                if tanh.op == "tanh" and draft.only_reader(other) is node:
                    soft = draft.producer(tanh.inputs[0])
                    if soft.op == "softplus" and soft.inputs == (x,) and draft.only_reader(soft.name) is tanh:
                        draft.put(retyped(node, "mish", (x,)))
                        break


def gelu(draft: Draft) -> None:
    """Recognise gelu, ``x * 0.5 * (1 + erf(x / sqrt(2)))`` or its tanh form, in any order of the factors."""
    for node in draft.of("erf", "tanh"):
        shift = draft.only_reader(node.name)
        if shift is not None and shift.op == "add" and close(scalar(shift), 1):
            found = _half_times_x(draft, shift)
            if found is not None:
                final, x = found
                if _inside_gelu(draft, node, x):
                    draft.put(retyped(final, "gelu", (x,)))


def _operands(node: Node) -> tuple[tuple[str, str], ...]:
    if len(node.inputs) != 2:
        return ()
    first, second = node.inputs
    return ((first, second), (second, first))


def _gated(draft: Draft, gate_op: str, op: str) -> None:
    """Turn ``x * gate(x)`` into `op`."""
    for gate in draft.of(gate_op):
        node = draft.only_reader(gate.name)
        if node is not None and node.op == "mul" and len(node.inputs) == 2:
            x = gate.inputs[0]
            if x in node.inputs:
                draft.put(retyped(node, op, (x,)))


def _shifted_relu6(draft: Draft, tensor: str) -> str | None:
    """Return x when `tensor` is ``relu6(x + 3)`` and nothing else reads the sum."""
    relu = draft.producer(tensor)
    if relu.op == "relu6":
        shift = draft.producer(relu.inputs[0])
        if shift.op == "add" and close(scalar(shift), 3) and draft.only_reader(shift.name) is relu:
            return shift.inputs[0]
    return None


def _half_times_x(draft: Draft, node: Node) -> tuple[Node, str] | None:
    """Follow the products behind `node` until both 0.5 and x are in; return the last product and x."""
    x: str | None = None
    halved = False
    while x is None or not halved:
        product = draft.only_reader(node.name)
        if product is None:
            return None
        if not halved and is_scale(product, 0.5):
            halved = True
        elif x is None and product.op == "mul" and len(product.inputs) == 2:
            other = product.inputs[product.inputs[0] == node.name]
            half = None if halved else scaled(draft, other, 0.5)
            if half is not None and draft.only_reader(other) is product:
                x, halved = half, True
            else:
                x = other
        else:
            return None
        node = product
    return node, x


def _inside_gelu(draft: Draft, node: Node, x: str) -> bool:
    """Whether the argument of `node` (erf or tanh) is the one that gelu has, made of nothing but x."""
    if node.op == "erf":
        return scaled(draft, node.inputs[0], math.sqrt(0.5)) == x
    cubic = False
    pending, seen = [node.inputs[0]], {x}
    while pending:
        tensor = pending.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        part = draft.producer(tensor)
        if part.op not in ("mul", "add", "pow", "square") or len(seen) > 9:
            return False
        cubic = cubic or close(scalar(part), 0.044715)
        pending.extend(part.inputs)
    return cubic
