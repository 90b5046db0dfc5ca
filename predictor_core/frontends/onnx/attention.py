"""The ONNX op Attention, written as the products that it stands for."""

from __future__ import annotations

from typing import Union

from predictor_core.frontends.common.values import Value
from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.ir.graph import Shape

#: What a Step reads, with its shape.
_Read = tuple[Union[Value, int], Shape]


def _attention(call: Call) -> list[Step]:
    """Scaled queries times scaled, transposed keys; mask; softmax; times values."""
    steps: list[Step] = []

    def add(op: str, output: Shape, *reads: _Read, **attrs: object) -> _Read:
        steps.append(Step(op, tuple([read for read, _ in reads]), attrs, (output,)))
        return len(steps) - 1, output

    def heads(index: int, attribute: str) -> _Read:
        """Return an input as (batch, heads, length, width)."""
        value = call.value(index)
        if len(value.shape) == 4:
            return value, value.shape
        batch, length, width = value.shape
        count = call.attrs[attribute]
        parted = add("reshape", (batch, length, count, width // count), (value, value.shape))
        return add("transpose", (batch, count, length, width // count), parted, perm=(0, 2, 1, 3))

    query, key, value = heads(0, "q_num_heads"), heads(1, "kv_num_heads"), heads(2, "kv_num_heads")
    batch, count, length, width = query[1]
    factor = call.attrs.get("scale") or width**-0.5
    query = add("mul", query[1], query, const=factor**0.5)
    key = add("mul", key[1], key, const=factor**0.5)
    if key[1][1] != count:
        key = add("expand", (key[1][0], count, *key[1][2:]), key)
        value = add("expand", (value[1][0], count, *value[1][2:]), value)
    sources = key[1][2]
    key = add("transpose", (batch, count, width, sources), key, perm=(0, 1, 3, 2))
    scores = add("matmul", (batch, count, length, sources), query, key)
    if call.has(3):
        mask = call.value(3)
        if mask.is_constant:
            scores = add("add", scores[1], scores, const_shape=mask.shape)
        else:
            scores = add("add", scores[1], scores, (mask, mask.shape))
    scores = add("softmax", scores[1], scores, axis=3)
    out = add("matmul", (batch, count, length, value[1][3]), scores, value)
    if len(call.shape(0)) == 3:
        out = add("transpose", (batch, length, count, value[1][3]), out, perm=(0, 2, 1, 3))
        add("reshape", (batch, length, count * value[1][3]), out)
    return steps


HANDLERS: dict[str, Handler] = {"Attention": _attention}
