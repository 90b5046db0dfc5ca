"""Candidates of a plan: members of the zoo's families, and real architectures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.util import find_spec

from predictor_core import zoo
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph
from predictor_core.ir.passes import canonicalize
from predictor_core.zoo.variants import variant

_LOGGER = logging.getLogger(__name__)

#: Random members of each family.
VARIANTS = 24
#: Real architectures that torchvision builds: one or a few of each kind, none too large for a phone.
TORCHVISION = (
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_b2",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "mnasnet0_5",
    "mnasnet1_3",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_1_6gf",
    "regnet_x_400mf",
    "regnet_y_1_6gf",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x2_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "vit_b_16",
)


def variants(per_family: int = VARIANTS, seed: int = 0) -> Iterator[Graph]:
    """Yield random members of every family of the zoo."""
    for family in zoo.families():
        for i in range(per_family):
            yield canonicalize(variant(family, seed * per_family + i))


def published() -> Iterator[Graph]:
    """Yield the published members of the zoo's families."""
    for name in zoo.models():
        graph = zoo.build(name)
        yield canonicalize(Graph(graph.nodes, name, graph.outputs, graph.free))


def real_architectures() -> Iterator[Graph]:
    """Yield torchvision's architectures, where torch and torchvision are installed."""
    if find_spec("torch") is None or find_spec("torchvision") is None:
        return
    from predictor_core.frontends.torch.torchvision import load, names

    known = set(names())
    for name in TORCHVISION:
        if name in known:
            try:
                graph = load(name)
            except PredictorError as error:
                _LOGGER.info("%s is left out: %s", name, error)
                continue
            yield Graph(graph.nodes, f"torchvision_{name}", graph.outputs, graph.free)
