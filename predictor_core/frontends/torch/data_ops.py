"""How torch functions that move data become Nodes: joins, cuts, indexing, padding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from types import FunctionType
from typing import Any

import torch

from predictor_core.frontends.torch.call import Call, Handler
from predictor_core.frontends.torch.tensors import to_meta
from predictor_core.frontends.torch.view_ops import cloned, reshaped
from predictor_core.ir.graph import Shape


def _joined(call: Call, tensors: Sequence[torch.Tensor], axis: int, shape: Shape) -> Any:
    like = next(tensor for tensor in tensors if call.tracked(tensor))
    result = torch.empty(shape, dtype=like.dtype, device="meta")
    return call.emit("concat", tuple(tensors), result, {"axis": axis})


def _cat(call: Call, tensors: Sequence[torch.Tensor], dim: int = 0, **kwargs: Any) -> Any:
    parts = [tensor for tensor in tensors if tensor.numel()]
    if len(parts) == 1 and tuple(call.run().shape) == tuple(parts[0].shape):
        return cloned(call, parts[0])
    first = parts[0].shape
    axis = kwargs.get("axis", dim) % len(first)
    for part in parts[1:]:
        if len(part.shape) != len(first) or any(
            m != n for place, (m, n) in enumerate(zip(part.shape, first)) if place != axis
        ):
            return call.run()
    total = sum(part.shape[axis] for part in parts)
    return _joined(call, parts, axis, (*first[:axis], total, *first[axis + 1 :]))


def _stack(call: Call, tensors: Sequence[torch.Tensor], dim: int = 0, **_: Any) -> Any:
    shape = tuple(call.run().shape)
    axis = dim % len(shape)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    parts = [
        reshaped(call, tensor, one)
        if call.tracked(tensor)
        else torch.empty(one, dtype=tensor.dtype, device="meta")
        for tensor in tensors
    ]
    return _joined(call, parts, axis, shape)


def _split_by(call: Call, input: torch.Tensor, axis: int, sizes: Sequence[int]) -> tuple[torch.Tensor, ...]:
    shape = tuple(input.shape)
    parts = [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]
    if len(parts) == 1:
        return (cloned(call, input),)
    if 0 in sizes:
        ends = list(accumulate(sizes))
        return tuple(sliced(call, input, {axis: (end - size, end, 1)}) for size, end in zip(sizes, ends))
    return tuple(call.emit("split", (input,), parts, {"axis": axis, "sizes": tuple(sizes)}))


def _split(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """``split``, ``chunk``, ``tensor_split`` and their kin: torch tells the sizes, which may be tensors."""
    parts = call.func(to_meta(input), *args, **kwargs)
    positional = args[1] if len(args) > 1 else 0
    axis = kwargs.get("dim", kwargs.get("axis", positional)) % input.dim()
    return _split_by(call, input, axis, [part.shape[axis] for part in parts])


def _unbind(call: Call, input: torch.Tensor, dim: int = 0) -> Any:
    axis = dim % input.dim()
    shape = tuple(input.shape)
    parts = _split_by(call, input, axis, [1] * shape[axis])
    return tuple(reshaped(call, part, (*shape[:axis], *shape[axis + 1 :])) for part in parts)


def _iterate(call: Call, input: torch.Tensor) -> Any:
    return iter(call.recorder.__torch_function__(torch.unbind, (), (input,)))


def _narrow(call: Call, input: torch.Tensor, dim: int, start: Any, length: int) -> Any:
    return sliced(call, input, {dim % input.dim(): (int(start), int(start) + length, 1)})


def sliced(call: Call, input: torch.Tensor, cuts: dict[int, tuple[int, int, int]]) -> Any:
    """Record one slice per dimension, as exporters do; `cuts` is (start, stop, step) by dimension.

    The same slice of the same tensor is recorded once.
    """
    for axis, (start, stop, step) in cuts.items():
        shape = (*input.shape[:axis], len(range(start, stop, step)), *input.shape[axis + 1 :])
        attrs = {"axes": (axis,), "starts": (start,), "steps": (step,)}
        input = call.emit_once("slice", input, shape, attrs)
    return input


def _select(call: Call, input: torch.Tensor, dim: int, index: Any = 0) -> Any:
    axis = dim % input.dim()
    shape = tuple(input.shape)
    return call.emit("gather", (input,), (*shape[:axis], *shape[axis + 1 :]), {"axis": axis})


def _index_select(call: Call, input: torch.Tensor, dim: int, index: torch.Tensor) -> Any:
    return call.emit("gather", (input, index), call.run(), {"axis": dim % input.dim()})


def _getitem(call: Call, input: torch.Tensor, index: Any) -> Any:
    parts = list(index) if isinstance(index, tuple) else [index]
    advanced = [
        part for part in parts if isinstance(part, (torch.Tensor, list)) or type(part).__module__ == "numpy"
    ]
    if any(isinstance(part, bool) for part in parts):
        return NotImplemented
    if advanced:
        result = call.run()
        axis = next(place for place, part in enumerate(parts) if part is advanced[0])
        sources = [input, *(part for part in advanced if isinstance(part, torch.Tensor))]
        return call.emit("gather", sources, result, {"axis": axis})
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    place = parts.index(Ellipsis)
    parts[place : place + 1] = [slice(None)] * (input.dim() - taken)
    result, axis = input, 0
    final: list[int] = []
    for part in parts:
        if part is None:
            final.append(1)
            continue
        if isinstance(part, slice):
            cut = part.indices(result.shape[axis])
            if cut != (0, result.shape[axis], 1):
                result = sliced(call, result, {axis: cut})
            final.append(result.shape[axis])
            axis += 1
        else:
            result = _select(call, result, axis)
    if tuple(result.shape) != tuple(final):
        result = reshaped(call, result, tuple(final))
    return cloned(call, input) if result is input else result


def _setitem(call: Call, input: torch.Tensor, index: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor) and call.recorder.aliases.are_one(value, input, index):
        return
    sources = [part for part in (input, value) if isinstance(part, torch.Tensor)]
    call.recorder.overwrite(input, call.emit("ScatterND", sources, tuple(input.shape)), sources[-1], index)


def _index(call: Call, input: torch.Tensor, indices: Any) -> Any:
    """Read indices of a program: one for each dimension, None for a whole one."""
    given = [index for index in indices if index is not None]
    if not given or any(index.dtype in (torch.bool, torch.uint8) for index in given):
        return NotImplemented
    axis = next(place for place, index in enumerate(indices) if index is not None)
    return call.emit("gather", [input, *given], call.run(), {"axis": axis})


def _index_put(call: Call, input: torch.Tensor, indices: Any, values: Any, *_: Any, **__: Any) -> Any:
    sources = [part for part in (input, values) if isinstance(part, torch.Tensor)]
    return call.emit("ScatterND", sources, tuple(input.shape))


def _scatter(call: Call, input: torch.Tensor, dim: int, index: torch.Tensor, src: Any, **_: Any) -> Any:
    sources = [part for part in (input, index, src) if isinstance(part, torch.Tensor)]
    return call.emit("ScatterElements", sources, tuple(input.shape))


def _copy(call: Call, input: torch.Tensor, other: torch.Tensor, *_: Any, **__: Any) -> Any:
    if not call.tracked(other):
        return NotImplemented
    return other if other.shape == input.shape else call.emit("expand", (other,), tuple(input.shape))


def _embedding(call: Call, input: torch.Tensor, weight: torch.Tensor, *_: Any, **__: Any) -> Any:
    # torch.embedding and aten::embedding have the table first, functional.embedding has it second.
    if not call.tracked(input):
        input, weight = weight, input
    result = torch.empty((*input.shape, weight.shape[-1]), dtype=weight.dtype, device="meta")
    return call.emit("embedding", (input,), result, {"table": tuple(weight.shape)})


_BAG_MODES = ("sum", "mean", "max")


def _embedding_bag(
    call: Call,
    input: torch.Tensor,
    weight: torch.Tensor,
    offsets: torch.Tensor | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Rows of a table, reduced bag by bag; bags whose sizes only values tell are taken to be equal."""
    names = ["scale_grad_by_freq", "mode", "sparse", "per_sample_weights", "include_last_offset"]
    public = isinstance(call.func, FunctionType)
    if public:
        names = ["max_norm", "norm_type", *names]
    else:
        # aten::embedding_bag has the table first.
        input, weight = weight, input
    given = {**dict(zip(names, args)), **kwargs}
    mode = given.get("mode", "mean" if public else 0)
    if input.dim() == 2:
        bags, size = input.shape
    elif offsets is None:
        return NotImplemented
    else:
        bags = offsets.shape[0] - bool(given.get("include_last_offset"))
        size = -(-input.numel() // max(bags, 1))
    width = weight.shape[-1]
    rows = torch.empty((bags, size, width), dtype=weight.dtype, device="meta")
    rows = call.emit("embedding", (input,), rows, {"table": tuple(weight.shape)})
    weights = given.get("per_sample_weights")
    if weights is not None:
        if call.tracked(weights) and weights.numel() == bags * size:
            rows = call.emit("mul", (rows, reshaped(call, weights, (bags, size, 1))), (bags, size, width))
        else:
            rows = call.emit("mul", (rows,), (bags, size, width), {"const_shape": (bags, size, 1)})
    reduction = mode if isinstance(mode, str) else _BAG_MODES[mode]
    made = call.emit(f"reduce_{reduction}", (rows,), (bags, width), {"axes": (1,), "keepdims": False})
    return made if public else (made, *call.run()[1:])


_PAD_MODES = {"replicate": "edge", "circular": "wrap"}


def padded(
    call: Call, input: torch.Tensor, pad: Sequence[int], mode: str = "constant", *_: Any, **__: Any
) -> Any:
    """Record a pad, and the cuts that negative ones are."""
    rank = input.dim()
    given = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    pads = [*[(0, 0)] * (rank - len(given)), *reversed(given)]
    shape = tuple(size + before + after for size, (before, after) in zip(input.shape, pads))
    if any(before < 0 or after < 0 for before, after in pads):
        cuts = {
            axis: (max(-before, 0), size - max(-after, 0), 1)
            for axis, (size, (before, after)) in enumerate(zip(input.shape, pads))
            if before < 0 or after < 0
        }
        input = sliced(call, input, cuts)
        pads = [(max(before, 0), max(after, 0)) for before, after in pads]
    return call.emit("pad", (input,), shape, {"pads": tuple(pads), "mode": _PAD_MODES.get(mode, mode)})


def _depth_to_space(call: Call, input: torch.Tensor, upscale_factor: int) -> Any:
    return call.emit("depthtospace", (input,), call.run(), {"block": upscale_factor})


def _space_to_depth(call: Call, input: torch.Tensor, downscale_factor: int) -> Any:
    return call.emit("spacetodepth", (input,), call.run(), {"block": downscale_factor})


def _channel_shuffle(call: Call, input: torch.Tensor, groups: int) -> Any:
    return call.emit("channelshuffle", (input,), tuple(input.shape), {"groups": groups})


def _roll(call: Call, input: torch.Tensor, shifts: Any, dims: Any = None) -> Any:
    """Two slices and a concat per dimension, as exporters write it."""
    if dims is None or dims == ():
        return NotImplemented
    pairs = [(shifts, dims)] if isinstance(dims, int) else zip(shifts, dims)
    for shift, dim in pairs:
        axis = dim % input.dim()
        size = input.shape[axis]
        start = -int(shift) % size
        if start:
            tail = sliced(call, input, {axis: (start, size, 1)})
            head = sliced(call, input, {axis: (0, start, 1)})
            input = _joined(call, (tail, head), axis, tuple(input.shape))
    return cloned(call, input)


DATA_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "stack": _stack,
    **dict.fromkeys(("split", "chunk", "tensor_split", "split_with_sizes"), _split),
    "unbind": _unbind,
    "iter": _iterate,
    "narrow": _narrow,
    "select": _select,
    "index_select": _index_select,
    **dict.fromkeys(("gather", "take_along_dim"), _index_select),
    **dict.fromkeys(("scatter", "scatter_add"), _scatter),
    "getitem": _getitem,
    "index": _index,
    "index_put": _index_put,
    "setitem": _setitem,
    "copy": _copy,
    "embedding": _embedding,
    **dict.fromkeys(("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only"), _embedding_bag),
    "pad": padded,
    "pixel_shuffle": _depth_to_space,
    "pixel_unshuffle": _space_to_depth,
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _channel_shuffle),
    "roll": _roll,
}
