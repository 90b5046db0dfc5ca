"""Graphs of the measured models, built with random weights: nothing is downloaded."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from predictor_core.errors import missing_dependency
from predictor_core.files import write_atomically
from predictor_core.frontends.torch import pytorchcv
from predictor_core.fusion import Rules, detect
from predictor_core.ir.graph import Graph
from predictor_core.kernels import cost
from predictor_core.learning.phones.transformers_models import TRANSFORMERS
from predictor_core.predictor import to_graph

CNN_SIZE = 224
#: Published sizes are rounded, and papers differ in what they count.
TOLERANCE = 0.05


class Built(NamedTuple):
    """A model and how large it is.

    Parameters
    ----------
    graph : Graph
    parameters_m : float
        Parameters in millions.
    """

    graph: Graph
    parameters_m: float


def build_graphs(names: Sequence[str]) -> dict[str, Built]:
    """Build the graphs of models: transformers by their configurations, all others by pytorchcv.

    Raises
    ------
    MissingDependencyError
        Without the extra ``phones``.
    PredictorError
        pytorchcv knows no model of a name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: _transformer(name) if name in TRANSFORMERS else _cnn(name) for name in sorted(names)}


def check_sizes(built: dict[str, Built], rules: Rules, path: Path) -> list[str]:
    """Compare the transformers with what was published, write the table, and return those that differ."""
    lines, differ = ["model,parameters_m,published_m,gmacs,published_gmacs"], []
    for name, model in sorted(built.items()):
        if name not in TRANSFORMERS:
            continue
        wanted = TRANSFORMERS[name]
        gmacs = sum(cost(kernel.spec).macs for kernel in detect(model.graph, rules)) / 1e9
        lines.append(
            f"{name},{model.parameters_m:.2f},{wanted.parameters_m},{gmacs:.3f},{wanted.gmacs or ''}"
        )
        pairs = [(model.parameters_m, wanted.parameters_m), (gmacs, wanted.gmacs)]
        if any(published and abs(own / published - 1.0) > TOLERANCE for own, published in pairs):
            differ.append(name)
    write_atomically(path, "\n".join(lines) + "\n")
    return differ


def _cnn(name: str) -> Built:
    return _built(pytorchcv.build(name), CNN_SIZE)


def _transformer(name: str) -> Built:
    wanted = TRANSFORMERS[name]
    try:
        transformers = import_module("transformers")
        make_config = getattr(transformers, wanted.config_class)
        make_module = getattr(transformers, wanted.model_class)
        no_init_weights = import_module("transformers.modeling_utils").no_init_weights
    except (ImportError, AttributeError) as error:
        # Release 5 has dropped some of the models.
        raise missing_dependency("transformers<5", "phones", f"building {name}") from error
    config = make_config(**wanted.config)
    # The measured files were traced from the plain products and softmax.
    config._attn_implementation = "eager"
    with no_init_weights():
        module = make_module(config)
    return _built(module, wanted.size)


def _built(module: Any, size: int) -> Built:
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Built(to_graph(module.eval(), "torch", (1, 3, size, size)), parameters / 1e6)
