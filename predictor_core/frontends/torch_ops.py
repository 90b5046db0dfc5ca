"""How torch functions become Nodes: convolutions, products, norms, activations, pools.

One handler per function name, with the signature ``(call, *the function's own arguments)``. Handlers
whose result has a shape that follows from their inputs make it themselves: torch's own meta kernels
take up to a millisecond for a batch norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from predictor_core.frontends.torch_data_ops import DATA_HANDLERS
from predictor_core.frontends.torch_recorder import Call, Handler, Untraceable
from predictor_core.frontends.torch_sequence_ops import SEQUENCE_HANDLERS
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import broadcast


def pair(value: Any, rank: int = 2) -> tuple[int, ...]:
    """One number per spatial dimension."""
    if isinstance(value, int):
        return (value,) * rank
    values = tuple(int(one) for one in value)
    return values * rank if len(values) == 1 else values


def batched(x: torch.Tensor, rank: int) -> None:
    """Refuse an input without the batch dimension.

    Raises
    ------
    Untraceable
        When `x` has another rank.
    """
    if x.dim() != rank:
        raise Untraceable(
            f"an input of shape {list(x.shape)} where {rank} dimensions are needed: is the batch missing?"
        )


def window(
    kernel: Any, stride: Any, before: Any, after: Any, dilation: Any = 1, rank: int = 2
) -> dict[str, Any]:
    """Attributes of a sliding window; one spatial dimension is written as two, the second of size 1."""
    fill = (0,) if rank == 1 else ()
    ones = (1,) if rank == 1 else ()
    return {
        "kernel": (*pair(kernel, rank), *ones),
        "strides": (*pair(stride, rank), *ones),
        "pads": (*pair(before, rank), *fill, *pair(after, rank), *fill),
        "dilations": (*pair(dilation, rank), *ones),
    }


def _conv(rank: int) -> Handler:
    def conv(
        call: Call,
        input: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        batched(input, rank + 2)
        n, channels, *size = input.shape
        filters, per_group, *kernel = weight.shape
        if channels != per_group * groups:
            return call.run()
        strides, dilations = pair(stride, rank), pair(dilation, rank)
        if isinstance(padding, str):
            totals = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilations)]
            before = [total // 2 for total in totals]
            after = [total - half for total, half in zip(totals, before)]
        else:
            before = after = list(pair(padding, rank))
        out = [
            (s + b + a - d * (k - 1) - 1) // step + 1
            for s, b, a, d, k, step in zip(size, before, after, dilations, kernel, strides)
        ]
        attrs = window(kernel, strides, before, after, dilations, rank)
        attrs.update(groups=groups, bias=bias is not None)
        if min(out) <= 0:
            return call.run()
        return call.emit("conv3d" if rank == 3 else "conv", (input, weight), (n, filters, *out), attrs)

    return conv


def _conv_transpose(rank: int) -> Handler:
    def conv_transpose(
        call: Call,
        input: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        batched(input, rank + 2)
        attrs = window(weight.shape[2:], stride, padding, padding, dilation, rank)
        attrs.update(groups=groups, bias=bias is not None)
        return call.emit("convtranspose", (input, weight), call.run(), attrs)

    return conv_transpose


def _linear(call: Call, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Any:
    if call.tracked(weight) or weight.dim() != 2 or input.shape[-1] != weight.shape[1]:
        return call.emit("matmul", (input, weight), call.run())
    return call.emit("fc", (input,), (*input.shape[:-1], weight.shape[0]), {"bias": bias is not None})


def _matmul(call: Call, input: torch.Tensor, other: torch.Tensor, **_: Any) -> Any:
    if call.name == "__rmatmul__":
        input, other = other, input
    return product(call, input, other, call.run())


def product(call: Call, left: torch.Tensor, right: torch.Tensor, result: Any, bias: bool = False) -> Any:
    """Record a matrix product: ``fc`` with a constant matrix on the right, else ``matmul``."""
    if not call.tracked(right) and right.dim() == 2:
        return call.emit("fc", (left,), result, {"bias": bias})
    attrs: dict[str, Any] = {}
    if not call.tracked(left):
        attrs = {"const_shape": tuple(left.shape), "const_first": True}
    elif not call.tracked(right):
        attrs = {"const_shape": tuple(right.shape)}
    return call.emit("matmul", (left, right), result, attrs)


def _addmm(
    call: Call,
    input: torch.Tensor,
    left: torch.Tensor,
    right: torch.Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    **_: Any,
) -> Any:
    result = call.run()
    if not call.tracked(input) and not call.tracked(right) and beta == alpha == 1:
        return product(call, left, right, result, bias=True)
    part = product(call, left, right, tuple(result.shape))
    if alpha != 1:
        part = call.emit("mul", (part,), tuple(result.shape), {"const": float(alpha)})
    if beta == 0:
        return part
    if beta != 1 and call.tracked(input):
        input = call.emit("mul", (input,), tuple(input.shape), {"const": float(beta)})
    return _binary_node(call, "add", part, input, tuple(result.shape))


def _activation(op: str) -> Handler:
    def activation(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
        return call.emit(op, (input,), tuple(input.shape))

    return activation


def _clip(call: Call, input: torch.Tensor, min: Any = None, max: Any = None, **_: Any) -> Any:
    if isinstance(min, torch.Tensor) or isinstance(max, torch.Tensor):
        return NotImplemented
    return call.emit("clip", (input,), tuple(input.shape), {"min": _number(min), "max": _number(max)})


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _hardtanh(
    call: Call, input: torch.Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Any:
    return _clip(call, input, min_val, max_val)


def _glu(call: Call, input: torch.Tensor, dim: int = -1) -> Any:
    axis = dim % input.dim()
    shape = list(input.shape)
    shape[axis] //= 2
    half = tuple(shape)
    left, right = call.emit(
        "split", (input,), [half, half], {"axis": axis, "sizes": (half[axis], half[axis])}
    )
    return call.emit("mul", (left, call.emit("sigmoid", (right,), half)), half)


def _binary(op: str) -> Handler:
    def binary(call: Call, input: Any, other: Any, *, alpha: float = 1, **kwargs: Any) -> Any:
        if kwargs.get("rounding_mode"):
            return NotImplemented
        if call.name == "rsub" or call.name.startswith("__r"):
            input, other = other, input
        tensors = [value for value in (input, other) if isinstance(value, torch.Tensor)]
        shape: Shape = tuple(tensors[0].shape)
        if len(tensors) == 2:
            if tensors[0].dtype != tensors[1].dtype:
                shape = tuple(call.run().shape)
            else:
                shape = broadcast(shape, tuple(tensors[1].shape))
        if alpha != 1:
            other = (
                call.emit("mul", (other,), tuple(other.shape), {"const": float(alpha)})
                if call.tracked(other)
                else other
            )
        return _binary_node(call, op, input, other, shape)

    return binary


def _binary_node(call: Call, op: str, left: Any, right: Any, shape: Shape) -> Any:
    if call.tracked(left) and call.tracked(right):
        return call.emit(op, (left, right), shape)
    source, constant = (left, right) if call.tracked(left) else (right, left)
    attrs: dict[str, Any] = {}
    value = call.scalar(constant)
    if value is None:
        attrs["const_shape"] = tuple(constant.shape)
    else:
        attrs["const"] = value
    if source is right:
        attrs["const_first"] = True
    return call.emit(op, (source,), shape, attrs)


def _extremum(op: str, reduction: str) -> Handler:
    """``max``/``min``: of two tensors, of all elements, or along a dimension (values and indices)."""

    def extremum(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("other") is not None or (args and isinstance(args[0], torch.Tensor)):
            return _binary_node(
                call, op, input, kwargs.get("other", args[0] if args else None), tuple(call.run().shape)
            )
        return _reduction(reduction)(call, input, *args, **kwargs)

    return extremum


def _reduction(op: str) -> Handler:
    def reduction(
        call: Call,
        input: torch.Tensor,
        dim: Any = None,
        keepdim: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ) -> Any:
        dim = kwargs.get("axis", dim)
        keepdim = kwargs.get("keepdims", keepdim)
        result = call.run()
        rank = input.dim()
        dims = range(rank) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
        attrs = {"axes": tuple(sorted(one % rank for one in dims)), "keepdims": bool(keepdim)}
        if isinstance(result, torch.Tensor):
            return call.emit(op, (input,), result, attrs)
        call.emit(op, (input,), list(result), attrs)
        return result

    return reduction


def _topk(call: Call, input: torch.Tensor, k: int, dim: int = -1, *_: Any, **__: Any) -> Any:
    result = call.run()
    call.emit("topk", (input,), list(result), {"k": k, "axis": dim % input.dim()})
    return result


def _softmax(op: str) -> Handler:
    def softmax(call: Call, input: torch.Tensor, dim: int | None = None, *_: Any, **__: Any) -> Any:
        axis = dim if dim is not None else (0 if input.dim() in (0, 1, 3) else 1)
        return call.emit(op, (input,), tuple(input.shape), {"axis": axis % max(input.dim(), 1)})

    return softmax


def _batch_norm(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    vectors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
    if input.dim() < 2 or any(vector.numel() != input.shape[1] for vector in vectors):
        return call.run()
    return call.emit("bn", (input,), tuple(input.shape))


def _layer_norm(op: str) -> Handler:
    def layer_norm(
        call: Call, input: torch.Tensor, normalized_shape: Sequence[int], *_: Any, **__: Any
    ) -> Any:
        own = len(normalized_shape)
        if tuple(input.shape[-own:]) != tuple(normalized_shape):
            return call.run()
        return call.emit(op, (input,), tuple(input.shape), {"axis": input.dim() - own})

    return layer_norm


def _group_norm(call: Call, input: torch.Tensor, num_groups: int, *_: Any, **__: Any) -> Any:
    if input.shape[1] % num_groups:
        return call.run()
    return call.emit("groupnorm", (input,), tuple(input.shape), {"groups": num_groups})


def _local_response_norm(call: Call, input: torch.Tensor, size: int, *_: Any, **__: Any) -> Any:
    return call.emit("lrn", (input,), tuple(input.shape), {"size": size})


def _pool(op: str, rank: int) -> Handler:
    def pool(
        call: Call,
        input: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        *_: Any,
        **__: Any,
    ) -> Any:
        batched(input, rank + 2)
        attrs = window(
            kernel_size,
            kernel_size if stride is None or stride == [] else stride,
            padding,
            padding,
            rank=rank,
        )
        del attrs["dilations"]
        result = call.run()
        if isinstance(result, torch.Tensor):
            return call.emit(op, (input,), result, attrs)
        call.emit(op, (input,), list(result), attrs)
        return result

    return pool


def _adaptive_pool(mode: str, rank: int) -> Handler:
    def adaptive_pool(call: Call, input: torch.Tensor, output_size: Any, *_: Any, **__: Any) -> Any:
        batched(input, rank + 2)
        wanted = (output_size,) * rank if output_size is None or isinstance(output_size, int) else output_size
        size = [given if one is None else one for one, given in zip(wanted, input.shape[2:])]
        result: Any = (*input.shape[:2], *size)
        if call.name.endswith("indices") or call.kwargs.get("return_indices"):
            result = list(call.run())
        made = call.emit("adaptivepool", (input,), result, {"mode": mode})
        return tuple(made) if isinstance(made, list) else made

    return adaptive_pool


def _resize(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    mode = kwargs.get("mode", next((value for value in args if isinstance(value, str)), "nearest"))
    if call.name.startswith("upsample_"):
        mode = call.name.split("_")[1].rstrip("12d3")
    return call.emit("resize", (input,), call.run(), {"mode": mode})


_ACTIVATIONS = {
    "relu": "relu",
    "relu6": "relu6",
    "hardswish": "hswish",
    "hardsigmoid": "hsigmoid",
    "sigmoid": "sigmoid",
    "silu": "swish",
    "gelu": "gelu",
    "tanh": "tanh",
    "leaky_relu": "leakyrelu",
    "rrelu": "leakyrelu",
    "prelu": "prelu",
    "elu": "elu",
    "selu": "selu",
    "softplus": "softplus",
    "mish": "mish",
    "expit": "sigmoid",
    **{name: name for name in ("abs", "neg", "exp", "log", "sqrt", "rsqrt", "erf", "sin", "cos")},
    **{name: name for name in ("floor", "ceil", "round", "reciprocal", "square")},
    "negative": "neg",
    "absolute": "abs",
}

_BINARIES = {
    "add": "add",
    "sub": "sub",
    "subtract": "sub",
    "rsub": "sub",
    "mul": "mul",
    "multiply": "mul",
    "div": "div",
    "divide": "div",
    "truediv": "div",
    "true_divide": "div",
    "pow": "pow",
    "__rpow__": "pow",
    "maximum": "max",
    "minimum": "min",
}

#: Handler by function name, in-place marks removed. A function that is absent is opened when it is
#: written in Python, else recorded under its own name.
HANDLERS: dict[str, Handler] = {
    **{f"conv{rank}d": _conv(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": _conv_transpose(rank) for rank in (1, 2, 3)},
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "__rmatmul__"), _matmul),
    **dict.fromkeys(("addmm", "baddbmm"), _addmm),
    **{name: _activation(op) for name, op in _ACTIVATIONS.items()},
    **dict.fromkeys(("clamp", "clip"), _clip),
    "hardtanh": _hardtanh,
    "glu": _glu,
    **{name: _binary(op) for name, op in _BINARIES.items()},
    "max": _extremum("max", "reduce_max"),
    "min": _extremum("min", "reduce_min"),
    "mean": _reduction("reduce_mean"),
    "sum": _reduction("reduce_sum"),
    "amax": _reduction("reduce_max"),
    "amin": _reduction("reduce_min"),
    "argmax": _reduction("argmax"),
    "topk": _topk,
    **dict.fromkeys(("softmax", "_softmax"), _softmax("softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("logsoftmax")),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm("layernorm"),
    "rms_norm": _layer_norm("rmsnorm"),
    "group_norm": _group_norm,
    "instance_norm": _activation("instancenorm"),
    "local_response_norm": _local_response_norm,
    **{f"{kind}_pool{rank}d": _pool(f"{kind}pool", rank) for kind in ("max", "avg") for rank in (1, 2, 3)},
    **{f"max_pool{rank}d_with_indices": _pool("maxpool", rank) for rank in (1, 2, 3)},
    **{
        f"adaptive_{kind}_pool{rank}d": _adaptive_pool(kind, rank)
        for kind in ("max", "avg")
        for rank in (1, 2, 3)
    },
    **{f"adaptive_max_pool{rank}d_with_indices": _adaptive_pool("max", rank) for rank in (1, 2, 3)},
    **dict.fromkeys(
        ("interpolate", "upsample", "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d"),
        _resize,
    ),
    **DATA_HANDLERS,
    **SEQUENCE_HANDLERS,
}
