"""Samples of a search space, named on the command line as ``module:Class``."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from random import Random
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.plugins import entry_points_of

#: Packages that know a kind of spaces register a function here: ``(space, input_shape)`` to a function that
#: makes a Graph from a ``random.Random``, or to None where the space is of another kind.
ENTRY_POINT_GROUP = "predictor_core.spaces"
SAMPLES = 60


def space_samples(
    name: str, input_shape: GivenShapes = None, count: int = SAMPLES, seed: int = 0
) -> list[Graph]:
    """Return random models of a search space.

    Parameters
    ----------
    name : str
        ``module:Class`` of a model space (a class that takes no argument, or an instance), or
        ``module:function`` of a function that makes a torch module or a Graph from a ``random.Random``.
        Modules in the current folder are found.
    input_shape : tuple of int, optional
        Of a model; (1, 3, 224, 224) by default.
    count, seed : int

    Raises
    ------
    PredictorError
        When there is no such object, or it can't be sampled.
    """
    space = _load(name)
    shape = input_shape or DEFAULT_INPUT_SHAPE
    random = Random(seed)
    known = (point.load()(space, shape) for point in entry_points_of(ENTRY_POINT_GROUP))
    sample = next((found for found in known if found is not None), None)
    graphs = []
    for i in range(count):
        graph = _made(space, random, shape, name) if sample is None else sample(random)
        graphs.append(Graph(graph.nodes, f"{name.rpartition(':')[2]}_{i}", graph.outputs, graph.free))
    return graphs


def _load(name: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        raise PredictorError(f"a space is named module:Class, got {name!r}")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = import_module(module)
    except ImportError as error:
        raise PredictorError(f"can't import the module {module!r} of the space: {error}") from error
    space = getattr(found, attribute, None)
    if space is None:
        raise PredictorError(f"the module {module!r} has no {attribute!r}")
    return space


def _made(space: Any, random: Random, shape: Any, name: str) -> Graph:
    if not callable(space):
        raise PredictorError(
            f"{name} is neither a model space nor a function; expected an NNI space with nnmeter-nni[nni] "
            "installed, or a function that makes a model from a random.Random"
        )
    try:
        model = space(random)
    except TypeError as error:
        raise PredictorError(f"{name} can't make a model from a random.Random: {error}") from error
    return to_graph(model, None if isinstance(model, Graph) else "torch", shape)
