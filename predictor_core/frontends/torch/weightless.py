"""Modules built without their weights: nothing is allocated or drawn for what a Graph does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def built_without_weights(build: Callable[[], Any]) -> Any:
    """Return what `build` makes, in evaluation mode, its large tensors on the meta device.

    torch's random state stays as it is.

    Parameters
    ----------
    build : callable
        Makes a ``torch.nn.Module``.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class WeightsOnMeta(TorchFunctionMode):
        """Layers make their weights with ``torch.empty``; what is computed from tensors stays real."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            return (
                func(*args, **{**kwargs, "device": "meta"}) if func is torch.empty else func(*args, **kwargs)
            )

    with torch.random.fork_rng(devices=[]):
        try:
            with WeightsOnMeta():
                return build().eval()
        except RuntimeError:
            # A few run themselves while they are built, which takes real weights.
            return build().eval()
