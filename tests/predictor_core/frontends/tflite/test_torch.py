"""torchvision's architectures through litert-torch are what the torch front end makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from predictor_core import load_latency_predictor
from predictor_core.frontends import find
from predictor_core.frontends.tflite import load
from predictor_core.fusion import detect
from tests.devices import DEVICES
from tests.predictor_core.frontends.tflite.conftest import FIXTURES
from tests.torchvision_shim import import_torchvision

NAMES = sorted(
    file.name.removeprefix("torch_").removesuffix(".tflite.gz")
    for file in (FIXTURES / "tflite").glob("torch_*.tflite.gz")
)


class Change(NamedTuple):
    """Kernels of the Cortex-A76 that a converted architecture has more and less, and ms off at most."""

    more: dict[str, int]
    less: dict[str, int] = {}  # noqa: RUF012  never written to
    off: float = 0.01


#: What litert-torch really changes. It has a transpose before the last flattening of one by one pixel, with a
#: mean as the pool before it, and a pad of its own before an average pool that pads. It keeps a channel
#: shuffle in channels first, with a transpose before and behind. A batch norm that follows no conv becomes a
#: subtraction, a product and a scale with its shift, and the conv behind it gets a bias. Around a layer norm
#: there are reshapes, and the last one has a scale and a shift of more dimensions than its input has. Heads
#: and windows are cut by splits and not by indices, and a bias that follows a reshape is added apart.
_FLATTENED = {"transpose": 1, "reduce_mean": 1}
CHANGED = {
    "alexnet": Change({"transpose": 1}),
    "convnext_tiny": Change({"reshape": 45, "mul": 1, "add": 1, **_FLATTENED}, {"global-avgpool": 1}, 0.06),
    "densenet121": Change({"sub": 62, "mul": 62, "conv-bn": 61}, {"conv": 61}, 0.6),
    "inception_v3": Change({"pad": 9}, off=0.07),
    "mnasnet0_5": Change(_FLATTENED, {"global-avgpool": 1}),
    "shufflenet_v2_x0_5": Change(
        {"transpose": 49, "reshape": 32, "reduce_mean": 1}, {"channelshuffle": 16, "global-avgpool": 1}, 0.14
    ),
    "swin_t": Change(
        {"reshape": 116, "fc": 3, "split": 12, **_FLATTENED},
        {"gather": 36, "global-avgpool": 1},
        0.17,
    ),
    "vgg11_bn": Change({"transpose": 1}),
    "vit_b_32": Change({"transpose": 2, "reshape": 1, "split": 12, "slice": 1}, {"gather": 37}),
}
_SAME = Change({})


@cache
def predictor(device: str) -> Any:
    return load_latency_predictor(device)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_kernels_and_milliseconds(model: Callable[[str], Path], name: str) -> None:
    import_torchvision()
    from predictor_core.frontends.torch import torchvision as frontend

    lite = load(model(f"torch_{name}"))
    _, height, width, channels = lite.inputs[0].shape
    direct = find("torch")(frontend.build(name), input_shape=(1, channels, height, width), via="direct")
    change = CHANGED.get(name, _SAME)
    for device in DEVICES:
        rules = predictor(device).rules
        kernels, expected = (
            Counter(kernel.spec.type for kernel in detect(graph, rules)) for graph in (lite, direct)
        )
        ms, expected_ms = predictor(device).predict(lite), predictor(device).predict(direct)
        assert ms == pytest.approx(expected_ms, rel=change.off)
        if device == DEVICES[0] or change is _SAME:
            assert (kernels - expected, expected - kernels) == (change.more, change.less)
