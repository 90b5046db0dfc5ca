"""How torch functions on images become Nodes: convolutions, pools, resizing, batch norms."""

from __future__ import annotations

from typing import Any

import torch

from predictor_core.frontends.torch.call import BatchMissing, Call, Handler, same_shape


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
    BatchMissing
        When `x` has another rank.
    """
    if x.dim() != rank:
        raise BatchMissing(
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


def conv(rank: int) -> Handler:
    """Rule of convolutions of a rank."""

    def handler(
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

    return handler


def conv_transpose(rank: int) -> Handler:
    """Rule of transposed convolutions of a rank."""

    def handler(
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
        if any(pair(output_padding, rank)):
            attrs["output_padding"] = (*pair(output_padding, rank), 0)[: max(rank, 2)]
        return call.emit(
            "convtranspose3d" if rank == 3 else "convtranspose", (input, weight), call.run(), attrs
        )

    return handler


def _deform_conv(
    call: Call,
    input: torch.Tensor,
    weight: torch.Tensor,
    offset: torch.Tensor,
    mask: torch.Tensor,
    bias: torch.Tensor | None,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Any:
    """``torchvision.ops.deform_conv2d`` as it reaches the compiled op."""
    attrs = window(
        weight.shape[2:], (stride_h, stride_w), (pad_h, pad_w), (pad_h, pad_w), (dilation_h, dilation_w)
    )
    attrs.update(groups=groups, bias=bias is not None)
    sources = (input, offset, mask) if use_mask else (input, offset)
    return call.emit("deformconv", sources, (input.shape[0], weight.shape[0], *offset.shape[2:]), attrs)


def _pool(op: str, rank: int) -> Handler:
    def pool(
        call: Call,
        input: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        *_: Any,
        **__: Any,
    ) -> Any:
        batched(input, rank + 2)
        strides = kernel_size if stride is None or stride == [] else stride
        attrs = window(kernel_size, strides, padding, padding, dilation, rank)
        # An average has none, but whether to round up at this place.
        if op == "avgpool" or max(attrs["dilations"]) == 1:
            del attrs["dilations"]
        return emit_all(call, op + "3d" if rank == 3 else op, input, call.run(), attrs)

    return pool


def emit_all(call: Call, op: str, input: torch.Tensor, result: Any, attrs: dict[str, Any]) -> Any:
    """Record an op that makes one tensor or a tuple of them, and return what torch returns."""
    call.emit(op, (input,), result if isinstance(result, torch.Tensor) else list(result), attrs)
    return result


def adaptive_pool(mode: str, rank: int) -> Handler:
    """Rule of pools to a size, with a window in `rank` dimensions."""

    def handler(call: Call, input: torch.Tensor, output_size: Any, *_: Any, **__: Any) -> Any:
        batched(input, rank + 2)
        wanted = (output_size,) * rank if output_size is None or isinstance(output_size, int) else output_size
        size = [given if one is None else one for one, given in zip(wanted, input.shape[2:])]
        if call.name.endswith("indices") or call.kwargs.get("return_indices"):
            return emit_all(call, "adaptivepool", input, call.run(), {"mode": mode})
        shape = (*input.shape[:2], *size)
        if max(size) == 1:
            reduced = {"axes": tuple(range(2, 2 + rank)), "keepdims": True}
            return call.emit("reduce_mean" if mode == "avg" else "reduce_max", (input,), shape, reduced)
        return call.emit("adaptivepool", (input,), shape, {"mode": mode})

    return handler


_RESIZE_MODES = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic", "nearest-exact": "nearest"}


def _resize(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    mode = kwargs.get("mode", next((value for value in args if isinstance(value, str)), "nearest"))
    return call.emit("resize", (input,), call.run(), {"mode": _RESIZE_MODES.get(mode, mode)})


def _batch_norm(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    vectors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
    if input.dim() < 2 or any(vector.numel() != input.shape[1] for vector in vectors):
        return call.run()
    return call.emit("bn", (input,), tuple(input.shape))


def _group_norm(call: Call, input: torch.Tensor, num_groups: int, *_: Any, **__: Any) -> Any:
    if input.shape[1] % num_groups:
        return call.run()
    return call.emit("groupnorm", (input,), tuple(input.shape), {"groups": num_groups})


IMAGE_HANDLERS: dict[str, Handler] = {
    **{f"conv{rank}d": conv(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": conv_transpose(rank) for rank in (1, 2, 3)},
    "deform_conv2d": _deform_conv,
    **{f"max_pool{rank}d": _pool("maxpool", rank) for rank in (1, 2, 3)},
    **{f"max_pool{rank}d_with_indices": _pool("maxpool", rank) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": _pool("avgpool", rank) for rank in (1, 2, 3)},
    **{
        f"adaptive_{mode}_pool{rank}d": adaptive_pool(mode, rank)
        for mode in ("max", "avg")
        for rank in (1, 2, 3)
    },
    **{f"adaptive_max_pool{rank}d_with_indices": adaptive_pool("max", rank) for rank in (1, 2, 3)},
    **dict.fromkeys(("interpolate", "upsample"), _resize),
    "batch_norm": _batch_norm,
    "group_norm": _group_norm,
    "instance_norm": same_shape("instancenorm"),
    "local_response_norm": same_shape("lrn"),
}
