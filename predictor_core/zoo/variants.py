"""Random members of the families: other widths, kernels, depths and input sizes than the published ones."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from random import Random
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph
from predictor_core.zoo import _FAMILIES, build, classic, mobile
from predictor_core.zoo.builder import of_stages

#: Height and width of images; NAS-Bench-201 has small ones.
SIZES = (96, 128, 160, 192, 224, 256, 288)
SMALL_SIZES = (32, 40, 48, 64)
#: Sets of kernel sizes that a model draws its own from; larger ones are rarer.
_KERNELS = ((3,), (3,), (3,), (5,), (3, 5), (3, 5, 7), (1, 3))
_OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
#: Factors of the width of a whole model, and of each of its stages.
_WIDTH, _STAGE = (0.4, 1.6), (0.8, 1.25)


def variant(family: str, seed: int) -> Graph:
    """Build a random member of a family.

    Parameters
    ----------
    family : str
        A name of `predictor_core.zoo.families`.
    seed : int
        The same seed gives the same model.

    Returns
    -------
    Graph
        Named ``FAMILY_vSEED``.

    Raises
    ------
    PredictorError
        When there is no such family.

    Examples
    --------
    >>> variant("mobilenetv2", 1).name
    'mobilenetv2_v1'
    """
    if family not in _FAMILIES:
        raise PredictorError(f"no model family {family!r}; there are {', '.join(sorted(_FAMILIES))}")
    random = Random(f"{family}/{seed}")
    config = _config(family, random)
    size = random.choice(SMALL_SIZES if family == "nasbench201" else SIZES)
    graph = build(family, **config, input_shape=(1, size, size, 3))
    return Graph(graph.nodes, f"{family}_v{seed}", graph.outputs, graph.free)


def _config(family: str, random: Random) -> dict[str, Any]:
    if family == "nasbench201":
        cell = [[f"{random.choice(_OPS)}~{j}" for j in range(i + 1)] for i in range(3)]
        # A cell whose output nothing reaches is no model.
        cell[2][0] = "nor_conv_3x3~0"
        return {"arch": "+".join(f"|{'|'.join(node)}|" for node in cell)}
    config, published = _published(family, random)
    kernels = random.choice(_KERNELS)
    factor = random.uniform(*_WIDTH)
    widths = sorted({value for values in published.values() for value in values})
    scaled = {value: _rounded(value * factor * random.uniform(*_STAGE)) for value in widths}
    for name, values in published.items():
        config[name] = [random.choice(kernels) if name == "kernels" else scaled[value] for value in values]
    return config


def _published(family: str, random: Random) -> tuple[dict[str, Any], dict[str, Sequence[int]]]:
    """Return fixed arguments, and the published values of those that vary."""
    if family == "resnet":
        depth = random.choice(sorted(classic.RES_STAGES))
        widths = of_stages(classic.RES_WIDTHS[depth], classic.RES_STAGES[depth])
        return {"depth": depth}, {"kernels": [3] * len(widths), "channels": widths}
    if family == "vgg":
        depth = random.choice(sorted(classic.VGG_STAGES))
        widths = of_stages(classic.VGG_WIDTHS, classic.VGG_STAGES[depth])
        hidden = random.choice((256, 512, 1024))
        return {"depth": depth, "hidden": (hidden, hidden)}, {
            "kernels": [3] * len(widths),
            "channels": widths,
        }
    if family == "mobilenetv3":
        name = random.choice(("large", "small"))
        base = mobile.V3_VARIANTS[name]
        return {"variant": name}, {key: base[key] for key in ("kernels", "channels", "mid")}
    parameters = inspect.signature(_FAMILIES[family]).parameters.values()
    varied: dict[str, Sequence[int]] = {
        each.name: each.default for each in parameters if isinstance(each.default, tuple)
    }
    varied.pop("input_shape")
    return {}, varied


def _rounded(width: float) -> int:
    """Round to what networks have: multiples of eight, of four or two where a width is small."""
    step = 8 if width >= 32 else 4 if width >= 12 else 2
    return max(step, step * round(width / step))
