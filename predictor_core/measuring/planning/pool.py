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
_TORCHVISION = """
convnext_tiny densenet121 efficientnet_b0 efficientnet_b2 efficientnet_v2_s googlenet inception_v3
mnasnet0_5 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_1_6gf regnet_x_400mf
regnet_y_1_6gf regnet_y_400mf resnet18 resnet50 resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0
shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 vit_b_16
"""
#: Kinds of pytorchcv that torchvision lacks, each by its smallest members, and that can be written as files.
_PYTORCHCV = """
airnext50_32x4d_r2 bninception darknet_ref darts diapreresnet10 diaresnet10 dicenet_w1 dicenet_wd2 dla34
dla46xc dpn68 efficientnet_b1b efficientnet_edge_medium_b espnetv2_w1 espnetv2_wd2 fbnet_cb fdmobilenet_w1
hardnet39ds hrnet_w18_small_v1 igcv3_w1 igcv3_wd2 menet108_8x1_g3 menet228_12x1_g3 mixnet_m mixnet_s
mnasnet_small mobilenetb_wd2 msdnet22 nasnet_4a1056 octresnet10_ad2 peleenet preresnet14 proxylessnas_mobile
resneta18 resnext14_32x2d scnet50 selecsls42 senet16 sepreresnet10 seresnet14 sharesnet18 shufflenet_g1_wd4
shufflenet_g3_wd2 shufflenet_g8_w1 shufflenetv2b_wd2 sparsenet121 spnasnet sqnxt23_w1 sqnxt23v5_w1
squeezeresnet_v1_1 vovnet27s
"""
TORCHVISION, PYTORCHCV = tuple(_TORCHVISION.split()), tuple(_PYTORCHCV.split())


def variants(per_family: int = VARIANTS) -> Iterator[Graph]:
    """Yield random members of every family of the zoo."""
    for family in zoo.families():
        for i in range(per_family):
            yield canonicalize(variant(family, i))


def published() -> Iterator[Graph]:
    """Yield the published members of the zoo's families."""
    for name in zoo.models():
        graph = zoo.build(name)
        yield canonicalize(Graph(graph.nodes, name, graph.outputs, graph.free))


def real_architectures() -> Iterator[Graph]:
    """Yield architectures of torchvision and pytorchcv, where torch and these packages are installed."""
    if find_spec("torch") is None:
        return
    from predictor_core.frontends.torch import load, pytorchcv, torchvision

    for package, names, build in (
        ("torchvision", TORCHVISION, torchvision.build),
        ("pytorchcv", PYTORCHCV, pytorchcv.build),
    ):
        if find_spec(package) is None:
            continue
        for name in names:
            try:
                graph = load(build(name))
            except PredictorError as error:
                _LOGGER.info("%s is left out: %s", name, error)
                continue
            yield Graph(graph.nodes, f"{package}_{name}", graph.outputs, graph.free)
