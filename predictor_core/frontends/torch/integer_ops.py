"""What the quantisers of torch (PT2E) write around the ops of a model: it is read as its float original."""

from __future__ import annotations

from typing import Any

import torch

from predictor_core.frontends.common.values import AS_FLOAT
from predictor_core.frontends.torch.call import Call, Handler


def _as_float(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    call.recorder.warnings[AS_FLOAT] = None
    return input


def _scales(call: Call, input: torch.Tensor, *_: Any, **__: Any) -> Any:
    """Return a scale and a zero point, which are folded into the ops."""
    call.recorder.warnings[AS_FLOAT] = None
    return torch.ones(1), torch.zeros(1, dtype=torch.int64)


INTEGER_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(
        (
            *("quantize_per_tensor", "quantize_per_channel", "quantize_per_token", "quantize_affine"),
            *("dequantize_per_tensor", "dequantize_per_channel", "dequantize_per_token", "dequantize_affine"),
            *("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine", "dequantize"),
        ),
        _as_float,
    ),
    **dict.fromkeys(
        (
            *("choose_qparams", "choose_qparams_symmetric", "choose_qparams_per_token"),
            *("choose_qparams_per_token_asymmetric", "choose_qparams_affine"),
        ),
        _scales,
    ),
}
