"""Kernels: specs, analytic cost, features, and the table that ties them to forests."""

from __future__ import annotations

from predictor_core.kernels.costs import Cost
from predictor_core.kernels.decomposition import Decomposition, one_image
from predictor_core.kernels.registry import (
    FORESTS,
    cost,
    decompose,
    features,
    is_free,
    kernel_op,
    register_op,
    unregister_op,
    weights,
)
from predictor_core.kernels.spec import Kernel, KernelSpec
from predictor_core.kernels.table import KERNEL_OPS, KernelOp

__all__ = [
    "FORESTS",
    "KERNEL_OPS",
    "Cost",
    "Decomposition",
    "Kernel",
    "KernelOp",
    "KernelSpec",
    "cost",
    "decompose",
    "features",
    "is_free",
    "kernel_op",
    "one_image",
    "register_op",
    "unregister_op",
    "weights",
]
