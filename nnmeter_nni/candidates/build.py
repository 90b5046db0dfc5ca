"""Build a module for its shape alone: no memory for weights, no random number drawn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from predictor_core.frontends.torch.tensors import random_state_kept

#: Factories that make weights. Others (``linspace``, ``tensor``, ...) make numbers that constructors read.
_WEIGHT_FACTORIES = frozenset(
    {torch.empty, torch.rand, torch.randn, torch.zeros, torch.ones, torch.full, torch.normal, torch.eye}
)


class _MetaWeights(TorchFunctionMode):
    """Send tensors made by the weight factories to the meta device."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _WEIGHT_FACTORIES and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def build(factory: Callable[[], Any]) -> nn.Module:
    """Call `factory` and return its module, with weights on the meta device where that works.

    A constructor that reads the values of its weights can't work without them; it is called again
    with real ones. Neither way moves a random state.

    Parameters
    ----------
    factory : callable
        Takes nothing and returns a ``torch.nn.Module``.
    """
    with random_state_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _MetaWeights():
                module = factory()
        except (RuntimeError, NotImplementedError):
            module = factory()
    if not isinstance(module, nn.Module):
        raise TypeError(f"a candidate must build a torch.nn.Module, but got {type(module).__name__}")
    return module
