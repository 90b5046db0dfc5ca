"""How torch functions that look at a tensor in another way become Nodes: copies, casts, views."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from predictor_core.frontends.torch.call import Call, Handler, same_shape
from predictor_core.frontends.torch.tensors import moved_dtype
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import resolve_reshape


def _sizes(values: Sequence[Any]) -> tuple[Any, ...]:
    """Arguments given one by one or as one sequence."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], (tuple, list)) else tuple(values)


def reshaped(call: Call, input: torch.Tensor, shape: Shape) -> Any:
    """Record a reshape."""
    return call.emit("reshape", (input,), shape)


def transposed(call: Call, input: torch.Tensor, perm: Sequence[int]) -> Any:
    """Record a transpose."""
    order = tuple(axis % input.dim() for axis in perm)
    return call.emit("transpose", (input,), tuple([input.shape[axis] for axis in order]), {"perm": order})


def _same(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    """Return the tensor itself: only the place of its data changes."""
    return input


def cloned(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    """Return another tensor object for the same Node: what is written to one does not change the other."""
    return call.recorder.bind(torch.empty(input.shape, dtype=input.dtype, device="meta"), input)


def _contiguous(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    """Return the tensor itself, or another object where the elements of a view may be out of order."""
    return cloned(call, input) if call.recorder.aliases.is_view(input) else input


def _to(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    if call.name == "type" and not args and not kwargs:
        return NotImplemented
    dtype = moved_dtype((input, *args), kwargs)
    if dtype == input.dtype:
        return cloned(call, input) if kwargs.get("copy") else input
    return call.emit("cast", (input,), torch.empty(input.shape, dtype=dtype, device="meta"))


def _as_tensor(call: Call, data: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:
    return _to(call, data, dtype=dtype, **kwargs) if isinstance(data, torch.Tensor) else NotImplemented


def _cast(dtype: torch.dtype) -> Handler:
    def cast(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
        return _to(call, input, dtype)

    return cast


def _view(call: Call, input: torch.Tensor, *shape: Any, **kwargs: Any) -> Any:
    sizes = _sizes(shape or (kwargs.get("shape", kwargs.get("size")),))
    if sizes and isinstance(sizes[0], torch.dtype):
        return NotImplemented
    return reshaped(call, input, resolve_reshape([int(size) for size in sizes], input.numel()))


def _by_result(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    """Reshape to whatever torch makes of it."""
    return reshaped(call, input, tuple(call.run().shape))


def _flatten(call: Call, input: torch.Tensor, start_dim: int = 0, end_dim: int = -1) -> Any:
    shape = tuple(input.shape)
    first, last = start_dim % len(shape), end_dim % len(shape)
    return reshaped(call, input, (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


def _view_as(call: Call, input: torch.Tensor, other: torch.Tensor) -> Any:
    return reshaped(call, input, tuple(other.shape))


def _permute(call: Call, input: torch.Tensor, *dims: Any, **kwargs: Any) -> Any:
    return transposed(call, input, _sizes(dims or (kwargs["dims"],)))


def _transpose(call: Call, input: torch.Tensor, dim0: int, dim1: int) -> Any:
    order = list(range(input.dim()))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return transposed(call, input, order)


def _reversed_dims(call: Call, input: torch.Tensor) -> Any:
    return transposed(call, input, tuple(reversed(range(input.dim()))))


def _swapped_last(call: Call, input: torch.Tensor) -> Any:
    return _transpose(call, input, -1, -2)


def _movedim(call: Call, input: torch.Tensor, source: Any, destination: Any) -> Any:
    rank = input.dim()
    sources = [source % rank] if isinstance(source, int) else [dim % rank for dim in source]
    targets = [destination % rank] if isinstance(destination, int) else [dim % rank for dim in destination]
    rest = iter(dim for dim in range(rank) if dim not in sources)
    return transposed(
        call,
        input,
        [sources[targets.index(place)] if place in targets else next(rest) for place in range(rank)],
    )


def _expand(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    return call.emit("expand", (input,), tuple(call.run().shape))


def _as_strided(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    """Record a reshape, or a gather where elements are left out or read several times, as by windows."""
    made = call.run()
    if made.is_contiguous() and made.numel() == input.numel():
        return reshaped(call, input, tuple(made.shape))
    return call.emit("gather", (input,), made, {"axis": 0})


def _set_data(call: Call, input: torch.Tensor, value: torch.Tensor) -> None:
    call.recorder.bind(input, value)
    call.recorder.states.note_written(input)
    call.recorder.aliases.note(torch.Tensor.detach, "detach", (value,), {}, input)


_DROPOUTS = (
    *("dropout", "dropout1d", "dropout2d", "dropout3d"),
    *("alpha_dropout", "feature_dropout", "feature_alpha_dropout"),
)


VIEW_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_DROPOUTS, same_shape("dropout")),
    **dict.fromkeys(("alias", "cpu", "cuda", "detach", "lift_fresh", "resolve_conj"), _same),
    "clone": cloned,
    "contiguous": _contiguous,
    "set_data": _set_data,
    "as_strided": _as_strided,
    **dict.fromkeys(("to", "type", "type_as", "_to_copy"), _to),
    **dict.fromkeys(("as_tensor", "asarray"), _as_tensor),
    "float": _cast(torch.float32),
    "double": _cast(torch.float64),
    "half": _cast(torch.float16),
    "bfloat16": _cast(torch.bfloat16),
    "long": _cast(torch.int64),
    "int": _cast(torch.int32),
    "short": _cast(torch.int16),
    "char": _cast(torch.int8),
    "byte": _cast(torch.uint8),
    "bool": _cast(torch.bool),
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), _view),
    **dict.fromkeys(("view_as", "reshape_as"), _view_as),
    **dict.fromkeys(("squeeze", "unsqueeze", "unflatten", "ravel", "atleast_2d", "atleast_3d"), _by_result),
    "flatten": _flatten,
    "permute": _permute,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _transpose),
    **dict.fromkeys(("t", "numpy_T"), _reversed_dims),
    **dict.fromkeys(("mT", "adjoint", "matrix_H"), _swapped_last),
    **dict.fromkeys(("movedim", "moveaxis"), _movedim),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to", "repeat", "tile", "repeat_interleave"), _expand),
}
