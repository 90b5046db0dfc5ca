"""The op of torchvision's deformable convolution, where its library does not fit the installed torch."""

from __future__ import annotations

import torch

_SCHEMA = (
    "(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, "
    "SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, "
    "SymInt offset_groups, bool use_mask) -> Tensor"
)


def register_deform_conv() -> None:
    """Declare the op; tracing needs no kernel."""
    if not hasattr(torch.ops.torchvision, "deform_conv2d"):
        torch.library.define("torchvision::deform_conv2d", _SCHEMA)
