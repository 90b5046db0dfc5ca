"""TensorFlow ops that become more than one value, or nodes that depend on what was written before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from predictor_core.frontends.common.values import Value, constant
from predictor_core.frontends.tensorflow.call import MAX_PARTS, Call, Step
from predictor_core.frontends.tensorflow.fold import fold
from predictor_core.frontends.tensorflow.messages import NodeDef
from predictor_core.ir.graph import Node

if TYPE_CHECKING:
    from predictor_core.frontends.tensorflow.graph import Walk


def shape(walk: Walk, node: NodeDef, inputs: list[Value], depth: int) -> list[Value]:
    """Return shapes, sizes and ranks as constants."""
    if node.op == "Size":
        return [constant(np.prod(inputs[0].shape, dtype=np.int64))]
    if node.op == "Rank":
        return [constant(len(inputs[0].shape))]
    return [constant(np.array(value.shape, dtype=np.int64)) for value in inputs]


def unpack(walk: Walk, node: NodeDef, inputs: list[Value], depth: int) -> list[Value]:
    """Write the parts of a tensor along an axis as a split and reshapes."""
    call = Call(node, inputs)
    shape = call.shape()
    axis = call.checked_axis(node.integer("axis"), len(shape))
    if shape[axis] > MAX_PARTS:
        raise call.error(f"takes {shape[axis]} parts apart; at most {MAX_PARTS} are accepted")
    if inputs[0].is_constant:
        folded = fold(call)
        if folded is not None:
            return [constant(array) for array in folded]
        return [Value((*shape[:axis], *shape[axis + 1 :]))] * shape[axis]
    outputs = ((*shape[:axis], 1, *shape[axis + 1 :]),) * shape[axis]
    parts = inputs
    if len(outputs) > 1:
        sizes = (1,) * len(outputs)
        parts = walk.emit(call, [call.step("split", shape, axis=axis, sizes=sizes)._replace(outputs=outputs)])
    out = (*shape[:axis], *shape[axis + 1 :])
    return [walk.emit(call, [Step("reshape", (part,), {}, (out,))])[0] for part in parts]


def erfc(walk: Walk, node: NodeDef, inputs: list[Value], depth: int) -> list[Value]:
    """Write erfc(-x) as 1 + erf(x), as gelu is written elsewhere."""
    value = inputs[0]
    if value.is_constant:
        return [Value(value.shape)]
    shapes = (value.shape,)
    positive = _negated(walk, value.node or "")
    steps = [Step("erf", (value if positive is None else value._replace(node=positive),), {}, shapes)]
    if positive is None:
        steps.append(Step("sub", (0,), {"const": 1.0, "const_first": True}, shapes))
    else:
        steps.append(Step("add", (0,), {"const": 1.0}, shapes))
    return walk.emit(Call(node, inputs), steps)


def random(walk: Walk, node: NodeDef, inputs: list[Value], depth: int) -> list[Value]:
    """Write a tensor of random numbers, as a dropout makes it, as an op that reads nothing."""
    call = Call(node, inputs)
    return walk.emit(call, [Step(node.op, (), {}, (call.ints(0),))])


def nothing(walk: Walk, node: NodeDef, inputs: list[Value], depth: int) -> list[Value]:
    """Write nothing for an op that gives nothing."""
    return []


def _negated(walk: Walk, tensor: str) -> str | None:
    """Return the tensor that is minus this one, where it is there or needs one product alone."""
    node = walk.made.get(tensor)
    if node is None:
        return None
    if node.op == "neg":
        return node.inputs[0]
    if node.op == "mul" and "const" in node.attrs:
        inner = walk.made.get(node.inputs[0])
        if inner is not None and inner.op == "neg":
            own = walk.names.fresh(f"{node.name}.positive")
            walk.append(Node(own, "mul", inner.inputs, node.attrs, node.outputs))
            return own
    return None
