"""Kernels: specs, analytic cost, features, and the registry that ties them to forests."""

from __future__ import annotations

from predictor_core.kernels.costs import Cost
from predictor_core.kernels.registry import (
    FORESTS,
    KINDS,
    KernelKind,
    Serving,
    cost,
    features,
    is_free,
    kind,
    serve,
)
from predictor_core.kernels.spec import Kernel, KernelSpec

__all__ = [
    "FORESTS",
    "KINDS",
    "Cost",
    "Kernel",
    "KernelKind",
    "KernelSpec",
    "Serving",
    "cost",
    "features",
    "is_free",
    "kind",
    "serve",
]
