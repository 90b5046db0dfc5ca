"""The 13 model families of the public measurements, as parametric builders of Graphs.

Graphs are raw: batch norm, bias and activations are nodes of their own, as TensorFlow writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph
from predictor_core.zoo import classic, mobile, nasbench

_FAMILIES: dict[str, Callable[..., Graph]] = {
    "alexnet": classic.alexnet,
    "densenet": classic.densenet,
    "googlenet": classic.googlenet,
    "mnasnet": mobile.mnasnet,
    "mobilenetv1": mobile.mobilenetv1,
    "mobilenetv2": mobile.mobilenetv2,
    "mobilenetv3": mobile.mobilenetv3,
    "nasbench201": nasbench.nasbench201,
    "proxylessnas": mobile.proxylessnas,
    "resnet": classic.resnet,
    "shufflenetv2": mobile.shufflenetv2,
    "squeezenet": classic.squeezenet,
    "vgg": classic.vgg,
}

#: Published members of the families that have several.
_MEMBERS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"vgg{depth}": ("vgg", {"depth": depth}) for depth in (11, 13, 16, 19)},
    **{f"resnet{depth}": ("resnet", {"depth": depth}) for depth in (18, 34, 50)},
    **{f"mobilenetv3{variant}": ("mobilenetv3", {"variant": variant}) for variant in ("large", "small")},
}


def families() -> list[str]:
    """Names of the families, in alphabetical order."""
    return sorted(_FAMILIES)


def models() -> list[str]:
    """Names of the published models: one for a plain family, each member for the others."""
    split = {family for family, _ in _MEMBERS.values()}
    return sorted({*_MEMBERS, *(set(_FAMILIES) - split)})


def build(family: str, **config: Any) -> Graph:
    """Build a model of a family.

    Parameters
    ----------
    family : str
        A name of `families` or of `models`.
    **config
        Arguments of the family's builder, e.g. ``kernels`` and ``channels`` per block, ``classes``,
        ``input_shape`` (channels last, with batch). Without any: the model as published.

    Raises
    ------
    PredictorError
        When the family or an argument does not exist, or an argument has the wrong number of values.

    Examples
    --------
    >>> len(build("resnet18"))
    70
    """
    name, preset = _MEMBERS.get(family, (family, {}))
    builder = _FAMILIES.get(name)
    if builder is None:
        known = ", ".join(sorted({*families(), *models()}))
        raise PredictorError(f"no model family {family!r}; there are {known}")
    try:
        return builder(**{**preset, **config})
    except TypeError as error:
        raise PredictorError(f"{family}: {error}") from error
