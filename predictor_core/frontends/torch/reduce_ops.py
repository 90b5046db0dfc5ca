"""How torch functions along some dimensions become Nodes: reductions, softmax, norms of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from predictor_core.frontends.torch.call import Call, Handler
from predictor_core.frontends.torch.image_ops import emit_all
from predictor_core.frontends.torch.math_ops import binary_node


def _extremum(op: str, reduction: str) -> Handler:
    """``max``/``min``: of two tensors, of all elements, or along a dimension (values and indices)."""

    def extremum(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        other = kwargs.get("other", args[0] if args else None)
        if isinstance(other, torch.Tensor):
            return binary_node(call, op, input, other, tuple(call.run().shape))
        result = call.run()
        if isinstance(result, torch.Tensor):
            return _reduced(call, reduction, input, result, None)
        dim = kwargs.get("dim", args[0] if args else None)
        _reduced(call, reduction, input, result[0], dim)
        call.emit("argmax", (input,), result[1], {"axis": dim % input.dim()})
        return result

    return extremum


def _reduction(op: str) -> Handler:
    def reduction(call: Call, input: torch.Tensor, dim: Any = None, *_: Any, **kwargs: Any) -> Any:
        return _reduced(call, op, input, call.run(), kwargs.get("axis", dim))

    return reduction


def _reduced(call: Call, op: str, input: torch.Tensor, result: Any, dim: Any) -> Any:
    rank = input.dim()
    dims = range(rank) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    keepdims = result.dim() == rank and rank > 0
    return call.emit(
        op, (input,), result, {"axes": tuple(sorted(one % rank for one in dims)), "keepdims": keepdims}
    )


def _norm(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    return _reduced(
        call, "reduce_sum", input, call.run(), kwargs.get("dim", args[1] if len(args) > 1 else None)
    )


def _spread(root: bool) -> Handler:
    """``var`` and ``std``, as the mean of the squared distances from the mean."""

    def spread(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        result = call.run()
        dim = kwargs.get("dim", next((one for one in args if not isinstance(one, bool)), None))
        kept = torch.empty(input.shape, dtype=input.dtype, device="meta").mean(dim, keepdim=True)
        mean = _reduced(call, "reduce_mean", input, kept, dim)
        shape = tuple(input.shape)
        distance = call.emit("sub", (input, mean), shape)
        square = call.emit("mul", (distance, distance), shape)
        made = _reduced(call, "reduce_mean", square, result, dim)
        biased = kwargs.get("correction", 1) == 0 or kwargs.get("unbiased") is False or False in args[:2]
        if not biased:
            count = input.numel() // max(result.numel(), 1)
            made = call.emit("mul", (made,), tuple(result.shape), {"const": float(count)})
            made = call.emit("div", (made,), tuple(result.shape), {"const": float(max(count - 1, 1))})
        return call.emit("sqrt", (made,), tuple(result.shape)) if root else made

    return spread


def _argmax(call: Call, input: torch.Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    result = call.run()
    if dim is None:
        input, dim = call.emit("reshape", (input,), (input.numel(),)), 0
    return call.emit("argmax", (input,), result, {"axis": dim % input.dim()})


def _topk(call: Call, input: torch.Tensor, k: int, dim: int = -1, *_: Any, **__: Any) -> Any:
    return emit_all(call, "topk", input, call.run(), {"axis": dim % input.dim()})


def _softmax(op: str) -> Handler:
    def softmax(call: Call, input: torch.Tensor, dim: int | None = None, *_: Any, **__: Any) -> Any:
        axis = dim if dim is not None else (0 if input.dim() in (0, 1, 3) else 1)
        return call.emit(op, (input,), tuple(input.shape), {"axis": axis % max(input.dim(), 1)})

    return softmax


def layer_norm(op: str) -> Handler:
    """Rule of norms over the last dimensions."""

    def handler(call: Call, input: torch.Tensor, normalized_shape: Sequence[int], *_: Any, **__: Any) -> Any:
        own = len(normalized_shape)
        if tuple(input.shape[-own:]) != tuple(normalized_shape):
            return call.run()
        return call.emit(op, (input,), tuple(input.shape), {"axis": input.dim() - own})

    return handler


REDUCE_HANDLERS: dict[str, Handler] = {
    "max": _extremum("max", "reduce_max"),
    "min": _extremum("min", "reduce_min"),
    "mean": _reduction("reduce_mean"),
    **dict.fromkeys(("sum", "prod", "logsumexp"), _reduction("reduce_sum")),
    **dict.fromkeys(("norm", "linalg_norm", "linalg_vector_norm"), _norm),
    "std": _spread(root=True),
    "var": _spread(root=False),
    "amax": _reduction("reduce_max"),
    "amin": _reduction("reduce_min"),
    **dict.fromkeys(("argmax", "argmin"), _argmax),
    "topk": _topk,
    **dict.fromkeys(("softmax", "_softmax"), _softmax("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("logsoftmax")),
    "layer_norm": layer_norm("layernorm"),
    "rms_norm": layer_norm("rmsnorm"),
}
