"""Latency-aware strategies, for the NNI that is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nnmeter_nni._nni import nni_major

__all__ = ["LatencyEvolution", "LatencyRandom", "LatencySorted"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "retiarii" if nni_major(f"nnmeter_nni.{name}") == 2 else "nas"
    return getattr(import_module(f"{__name__}.{module}"), name)
