"""TensorFlow ops that become more than one value, or nodes that depend on what was written before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor_core.frontends.common.values import Value, constant
from predictor_core.frontends.tensorflow.call import MAX_PARTS, Call, Step
from predictor_core.frontends.tensorflow.fold import fold
from predictor_core.ir.graph import Node

if TYPE_CHECKING:
    from predictor_core.frontends.tensorflow.graph import Walk


def shape(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Return shapes, sizes and ranks as constants."""
    if call.op == "Size":
        return [constant(np.prod(call.shape(), dtype=np.int64))]
    if call.op == "Rank":
        return [constant(len(call.shape()))]
    return [constant(np.array(value.shape, dtype=np.int64)) for value in call.inputs]


def unpack(emit: Callable[[Any, list[Step]], list[Value]], call: Call) -> list[Value]:
    """Write the parts of a tensor along an axis as a split and reshapes; `emit` writes the Nodes."""
    shape = call.shape()
    axis = call.checked_axis(call.node.integer("axis"), len(shape))
    if shape[axis] > MAX_PARTS:
        raise call.error(f"takes {shape[axis]} parts apart; at most {MAX_PARTS} are accepted")
    out = (*shape[:axis], *shape[axis + 1 :])
    if call.value().is_constant:
        folded = fold(call)
        return [Value(out)] * shape[axis] if folded is None else [constant(array) for array in folded]
    parts = [call.value()]
    if shape[axis] > 1:
        sizes = (1,) * shape[axis]
        outputs = ((*shape[:axis], 1, *shape[axis + 1 :]),) * shape[axis]
        parts = emit(call, [call.step("split", shape, axis=axis, sizes=sizes)._replace(outputs=outputs)])
    return [emit(call, [Step("reshape", (part,), {}, (out,))])[0] for part in parts]


def erfc(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Write erfc(-x) as 1 + erf(x), as gelu is written elsewhere."""
    value = call.value()
    if value.is_constant:
        return [Value(value.shape)]
    shapes = (value.shape,)
    positive = _negated(walk, value.node or "")
    steps = [Step("erf", (value if positive is None else value._replace(node=positive),), {}, shapes)]
    if positive is None:
        steps.append(Step("sub", (0,), {"const": 1.0, "const_first": True}, shapes))
    else:
        steps.append(Step("add", (0,), {"const": 1.0}, shapes))
    return walk.emit(call, steps)


def random(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Write a tensor of random numbers, as a dropout makes it, as an op that reads nothing."""
    return walk.emit(call, [Step(call.op, (), {}, (call.ints(0),))])


def nothing(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Write nothing for an op that gives nothing."""
    return []


def _negated(walk: Walk, tensor: str) -> str | None:
    """Return the tensor that is minus this one, where it is there or needs one product alone."""
    node = _made(walk, tensor)
    if node is None:
        return None
    if node.op == "neg":
        return node.inputs[0]
    if node.op == "mul" and "const" in node.attrs:
        inner = _made(walk, node.inputs[0])
        if inner is not None and inner.op == "neg":
            own = walk.names.fresh(f"{node.name}.positive")
            walk.nodes.append(Node(own, "mul", inner.inputs, node.attrs, node.outputs))
            return own
    return None


def _made(walk: Walk, tensor: str) -> Node | None:
    """Return the Node that makes a tensor: one of the last as a rule."""
    return next((node for node in reversed(walk.nodes) if node.name == tensor), None)
