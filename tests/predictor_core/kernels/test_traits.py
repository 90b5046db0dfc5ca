"""Traits of kernels that devices may be good or bad at."""

from __future__ import annotations

from math import log

import pytest

from predictor_core import kernels
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.traits import TRAITS


def conv(
    channels: int, filters: int, *, kernel: int = 1, stride: int = 1, op: str = "conv", groups: int = 1
) -> KernelSpec:
    shape = (1, 14, 14)
    pair = (kernel, kernel)
    return KernelSpec("", op, ((*shape, channels),), (*shape, filters), pair, (stride, stride), groups=groups)


@pytest.mark.parametrize(
    ("trait", "spec", "value"),
    [
        ("padded", conv(64, 32), 0.0),
        ("padded", conv(64, 24), log(32 / 24)),
        ("padded", conv(64, 24, op="groupconv", groups=4), log(16 / 6)),
        ("padded", KernelSpec("", "relu", ((1, 8, 8, 12),), (1, 8, 8, 12)), log(16 / 12)),
        ("unaligned", conv(64, 24), 0.0),
        ("unaligned", conv(64, 20), 1.0),
        ("unaligned", conv(64, 32, op="groupconv", groups=8), 1.0),
        ("winograd", conv(64, 64, kernel=3), 1.0),
        ("winograd", conv(64, 64, kernel=3, stride=2), 0.0),
        ("winograd", conv(64, 63, kernel=3), 0.0),
        ("winograd", conv(64, 64), 0.0),
        ("aliased", conv(512, 30), 1.0),
        ("aliased", conv(500, 256), 0.0),
        ("aliased", conv(512, 512, op="groupconv", groups=4), 0.0),
    ],
)
def test_value_of_a_trait(trait: str, spec: KernelSpec, value: float) -> None:
    assert TRAITS[trait](spec, kernels.cost(spec)) == pytest.approx(value)


def test_large_kernels_are_not_small_and_thin_ones_not_arithmetic() -> None:
    thin, large = conv(1, 1), conv(1024, 1024, kernel=3)
    values = {
        name: [TRAITS[name](spec, kernels.cost(spec)) for spec in (thin, large)]
        for name in ("small", "arithmetic")
    }
    assert values["small"][0] > 0.9
    assert values["small"][1] < 0.01
    assert values["arithmetic"][0] < 0.01
    assert values["arithmetic"][1] > 0.5


@pytest.mark.parametrize("op", sorted(kernels.KERNEL_OPS))
def test_kernels_without_shapes_have_traits(op: str) -> None:
    spec = KernelSpec("", op, ((1, 4, 4, 3),), ())
    cost = kernels.Cost(0, 0)
    assert all(0.0 <= trait(spec, cost) < 10.0 for trait in TRAITS.values())
