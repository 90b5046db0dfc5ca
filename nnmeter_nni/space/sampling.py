"""Random models of NNI's model spaces, for `predictor_core.measuring.planning`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from predictor_core.ir.graph import Graph, Shape


def sampler(space: Any, input_shape: Shape) -> Callable[[Random], Graph] | None:
    """Return a function that draws a model of a space, each choice uniformly.

    Parameters
    ----------
    space : class or object
        A module under NNI 2.10's ``model_wrapper``, an NNI 3.0 ``ModelSpace``, or a class of them that needs
        no argument.
    input_shape : tuple of int
        Of a model.

    Returns
    -------
    callable or None
        None where the space is none of NNI's.
    """
    try:
        import nni  # noqa: F401
        from torch import nn
    except ImportError:
        return None
    made = space() if isinstance(space, type) and issubclass(space, nn.Module) else space
    if not isinstance(made, nn.Module) and not hasattr(made, "simplify"):
        return None
    from nnmeter_nni.space.latency import SpaceLatency

    # Any device will do: only the Graphs are asked for.
    latency = SpaceLatency(made, "cortexA76cpu_tflite21", input_shape=input_shape)
    return lambda random: latency.graph(latency.sample(random))
