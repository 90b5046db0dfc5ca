"""How ops become Nodes that only programs have, into which ``run_decompositions`` opens functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from predictor_core.frontends.torch.call import Call, Handler, same_shape
from predictor_core.frontends.torch.data_ops import padded, sliced
from predictor_core.frontends.torch.image_ops import adaptive_pool, conv, conv_transpose
from predictor_core.frontends.torch.reduce_ops import layer_norm
from predictor_core.frontends.torch.sequence_ops import attention
from predictor_core.frontends.torch.view_ops import cloned


def _convolution(
    call: Call,
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    """Record the one function that exported programs have for all convolutions."""
    rank = weight.dim() - 2
    if transposed:
        handler = conv_transpose(rank)
        return handler(call, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(rank)(call, input, weight, bias, stride, padding, dilation, groups)


def _with_statistics(handler: Handler) -> Handler:
    """Functions that also return what they have measured, which is not read at inference."""

    def with_statistics(call: Call, input: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        result = call.run()
        return (handler(call, input, *args, **kwargs), *result[1:])

    return with_statistics


def _group_norm(
    call: Call, input: torch.Tensor, weight: Any, bias: Any, n: int, c: int, area: int, groups: int, *_: Any
) -> Any:
    return call.emit("groupnorm", (input,), tuple(input.shape), {"groups": groups})


def _attention(
    call: Call,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *_: Any,
    attn_mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> Any:
    return attention(call, query, key, value, attn_mask, is_causal=is_causal, scale=scale)


def _constant_pad(call: Call, input: torch.Tensor, pad: Sequence[int], *_: Any) -> Any:
    return padded(call, input, pad)


def _slice(
    call: Call,
    input: torch.Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Any:
    axis = dim % input.dim()
    size = input.shape[axis]
    cut = slice(start, end, step).indices(size)
    return cloned(call, input) if cut == (0, size, 1) else sliced(call, input, {axis: cut})


def _written(call: Call, input: torch.Tensor, src: torch.Tensor, *_: Any, **__: Any) -> Any:
    """Record a tensor that is another one but for a part of it."""
    return call.emit("ScatterND", (input, src), tuple(input.shape))


def _resized(mode: str) -> Handler:
    def resized(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
        return call.emit("resize", (input,), call.run(), {"mode": mode})

    return resized


_RESIZES = {
    **{f"upsample_nearest{rank}d": "nearest" for rank in (1, 2, 3)},
    **{f"_upsample_nearest_exact{rank}d": "nearest" for rank in (1, 2, 3)},
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), "linear"),
    **dict.fromkeys(("upsample_bicubic2d", "_upsample_bicubic2d_aa"), "cubic"),
    "_upsample_bilinear2d_aa": "linear",
}
_ATTENTIONS = ("_scaled_dot_product_flash_attention", "_scaled_dot_product_flash_attention_for_cpu")

PROGRAM_HANDLERS: dict[str, Handler] = {
    **{name: _resized(mode) for name, mode in _RESIZES.items()},
    **{f"_adaptive_avg_pool{rank}d": adaptive_pool("avg", rank) for rank in (2, 3)},
    **dict.fromkeys(_ATTENTIONS, _with_statistics(_attention)),
    "constant_pad_nd": _constant_pad,
    "convolution": _convolution,
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit_no_training"), _with_statistics(same_shape("bn"))
    ),
    # With the statistics of its input, which has the channels of all images side by side.
    "_native_batch_norm_legit": _with_statistics(same_shape("instancenorm")),
    "native_group_norm": _with_statistics(_group_norm),
    "native_layer_norm": _with_statistics(layer_norm("layernorm")),
    "_fused_rms_norm": _with_statistics(layer_norm("rmsnorm")),
    **dict.fromkeys(("select_scatter", "slice_scatter"), _written),
    "slice": _slice,
}
