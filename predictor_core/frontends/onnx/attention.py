"""Attention, in the forms of ONNX and of onnxruntime, written as the products that it stands for."""

from __future__ import annotations

from predictor_core.frontends.onnx.call import Call, Handler
from predictor_core.frontends.onnx.compose import Read, Steps, picked, read
from predictor_core.ir.graph import Shape


def _split_heads(steps: Steps, x: Read, count: int) -> Read:
    """Return (batch, length, width) as (batch, heads, length, width of a head)."""
    batch, length, width = x.shape
    parted = steps.reshape(x, (batch, length, count, width // count))
    return steps.transpose(parted, (0, 2, 1, 3))


def _join_heads(steps: Steps, x: Read) -> Read:
    batch, count, length, width = x.shape
    turned = steps.transpose(x, (0, 2, 1, 3))
    return steps.reshape(turned, (batch, length, count * width))


def _appended(steps: Steps, call: Call, past: int, x: Read) -> Read:
    """Return keys or values behind those of earlier steps, where there are such."""
    if not call.has(past):
        return x
    return _behind(steps, read(call, past), x)


def _behind(steps: Steps, before: Read, x: Read) -> Read:
    batch, count, length, width = x.shape
    return steps.add("concat", (batch, count, before.shape[2] + length, width), before, x, axis=2)


def attend(
    steps: Steps, query: Read, key: Read, value: Read, masks: list[Read], scale: float | None = None
) -> Read:
    """Scaled queries times scaled, transposed keys; masks; softmax; times values: (..., length, width)."""
    *outer, length, width = query.shape
    rank = len(query.shape)
    factor = scale or width**-0.5
    query = steps.add("mul", query.shape, query, const=factor**0.5)
    key = steps.add("mul", key.shape, key, const=factor**0.5)
    if key.shape[1:-2] != query.shape[1:-2]:
        # Several heads of the queries share one of the keys.
        key = steps.add("expand", (key.shape[0], *outer[1:], *key.shape[-2:]), key)
        value = steps.add("expand", (value.shape[0], *outer[1:], *value.shape[-2:]), value)
    key = steps.transpose(key, (*range(rank - 2), rank - 1, rank - 2))
    scores = steps.product(query, key, (*outer, length, key.shape[-1]))
    for mask in masks:
        missing = scores.shape[-1] - mask.shape[-1]
        if mask.shape[-1] > 1 and missing > 0:
            # Keys beyond the mask are masked.
            pads = (*((0, 0),) * (len(mask.shape) - 1), (0, missing))
            mask = steps.add("pad", (*mask.shape[:-1], scores.shape[-1]), mask, pads=pads)
        scores = steps.binary("add", scores, mask)
    scores = steps.add("softmax", scores.shape, scores, axis=rank - 1)
    return steps.product(scores, value, (*outer, length, value.shape[-1]))


def _standard(call: Call) -> Steps:
    """Attention of ONNX: queries, keys, values, a mask, keys and values of earlier steps."""
    steps = Steps()

    def heads(index: int, attribute: str) -> Read:
        x = read(call, index)
        return x if len(x.shape) == 4 else _split_heads(steps, x, call.attrs[attribute])

    query, key, value = heads(0, "q_num_heads"), heads(1, "kv_num_heads"), heads(2, "kv_num_heads")
    key, value = _appended(steps, call, 4, key), _appended(steps, call, 5, value)
    masks = [read(call, 3)] if call.has(3) else []
    out = attend(steps, query, key, value, masks, call.attrs.get("scale"))
    if len(call.shape(0)) == 3:
        out = _join_heads(steps, out)
    scores: Shape = (*query.shape[:3], key.shape[2])
    made = next((index for index, step in enumerate(steps) if step.op == "matmul"), None)
    steps.results = [out, key, value, None if made is None else Read(made, scores)]
    return steps


def _self_attention(call: Call) -> Steps:
    """Attention of onnxruntime: one input times the weights of queries, keys and values, then attention."""
    steps = Steps()
    x, width, count = read(call), call.shape(1)[-1], call.attrs["num_heads"]
    sizes = call.attrs.get("qkv_hidden_sizes") or (width // 3,) * 3
    query, key, value = [
        _split_heads(steps, steps.add("fc", (*x.shape[:2], size), x, bias=call.has(2)), count)
        for size in sizes
    ]
    if call.has(4):
        key, value = _with_past(steps, call, key, value)
    masks = [read(call, 5)] if call.has(5) else []
    out = _join_heads(steps, attend(steps, query, key, value, masks, call.attrs.get("scale")))
    steps.results = [out]
    if call.outputs > 1:
        steps.results.append(_stacked(steps, key, value))
    return steps


def _with_past(steps: Steps, call: Call, key: Read, value: Read) -> tuple[Read, Read]:
    """Return keys and values behind those of earlier steps, which are one input (2, batch, heads, ...)."""
    past = read(call, 4)
    one = (1, *past.shape[1:])
    parts = [
        steps.reshape(steps.add("slice", one, past, axes=(0,), starts=(place,), steps=(1,)), one[1:])
        for place in (0, 1)
    ]
    return _behind(steps, parts[0], key), _behind(steps, parts[1], value)


def _stacked(steps: Steps, key: Read, value: Read) -> Read:
    lifted = [steps.reshape(x, (1, *x.shape)) for x in (key, value)]
    return steps.add("concat", (2, *key.shape), *lifted, axis=0)


def _multi_head(call: Call) -> Steps:
    """MultiHeadAttention of onnxruntime: queries, keys and values, which one input may hold together."""
    steps = Steps()
    count = call.attrs["num_heads"]
    if call.has(1):
        query = read(call)
        parts = [query, *_keys_and_values(steps, call)]
    else:
        packed = read(call)
        batch, length = packed.shape[:2]
        width = packed.shape[3] * packed.shape[4] if len(packed.shape) > 4 else packed.shape[2] // 3
        parts = _unpacked(steps, packed, 3, (batch, length, width))
    if call.has(3):
        parts = [_with_bias(steps, part) for part in parts]
    heads = [part if len(part.shape) == 4 else _split_heads(steps, part, count) for part in parts]
    key, value = _appended(steps, call, 6, heads[1]), _appended(steps, call, 7, heads[2])
    masks = [read(call, 5)] if call.has(5) else []
    out = _join_heads(steps, attend(steps, heads[0], key, value, masks, call.attrs.get("scale")))
    steps.results = [out, key, value]
    return steps


def _keys_and_values(steps: Steps, call: Call) -> list[Read]:
    key = read(call, 1)
    if call.has(2):
        return [key, read(call, 2)]
    batch, length = key.shape[:2]
    return _unpacked(steps, key, 2, (batch, length, key.shape[2] * key.shape[4]))


def _unpacked(steps: Steps, packed: Read, count: int, shape: Shape) -> list[Read]:
    """Return the parts of a tensor that holds queries, keys and values side by side."""
    batch, length, width = shape
    flat = steps.reshape(packed, (batch, length, count * width))
    return [
        steps.add("slice", shape, flat, axes=(2,), starts=(place * width,), steps=(1,))
        for place in range(count)
    ]


def _with_bias(steps: Steps, x: Read) -> Read:
    return steps.add("add", x.shape, x, const_shape=x.shape[-1:]) if len(x.shape) == 3 else x


def _grouped_query(call: Call) -> Steps:
    """GroupQueryAttention of onnxruntime: fewer keys and values than queries, earlier ones in a cache."""
    steps = Steps()
    x = read(call)
    count, groups = call.attrs["num_heads"], call.attrs["kv_num_heads"]
    if call.has(1):
        parts = [x, read(call, 1), read(call, 2)]
    else:
        width = x.shape[2] // (count + 2 * groups)
        parts, start = [], 0
        for heads in (count, groups, groups):
            shape = (*x.shape[:2], heads * width)
            parts.append(steps.add("slice", shape, x, axes=(2,), starts=(start,), steps=(1,)))
            start += heads * width
    query, key, value = [
        _split_heads(steps, part, heads) for part, heads in zip(parts, (count, groups, groups))
    ]
    if call.attrs.get("do_rotary"):
        query = steps.add("RotaryEmbedding", query.shape, query)
        key = steps.add("RotaryEmbedding", key.shape, key)
    key, value = _appended(steps, call, 3, key), _appended(steps, call, 4, value)
    out = _join_heads(steps, attend(steps, query, key, value, [], call.attrs.get("scale")))
    steps.results = [out, key, value]
    return steps


HANDLERS: dict[str, Handler] = {"Attention": _standard}

#: Those of onnxruntime's own domain.
CONTRIB_HANDLERS: dict[str, Handler] = {
    "Attention": _self_attention,
    "GroupQueryAttention": _grouped_query,
    "MultiHeadAttention": _multi_head,
    "QAttention": picked(_self_attention, 0, 1, 2, 5, 8),
}
