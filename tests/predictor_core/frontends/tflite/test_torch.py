"""torchvision's architectures through litert-torch are what the torch front end makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from predictor_core import load_latency_predictor
from predictor_core.frontends import find
from predictor_core.frontends.tflite import load
from predictor_core.fusion import detect
from tests.predictor_core.frontends.tflite.conftest import FIXTURES
from tests.predictor_core.frontends.tflite.test_frontend import DEVICES
from tests.torchvision_shim import import_torchvision

NAMES = sorted(
    file.name.removeprefix("torch_").removesuffix(".tflite.gz")
    for file in (FIXTURES / "tflite").glob("torch_*.tflite.gz")
)


#: What litert-torch really changes, and how far off that is at most: it keeps the channel shuffle in channels
#: first, with a transpose before and behind; it has a reshape before and behind each layer norm, and cuts
#: windows and heads by splits; it has a transpose before the last flattening of one by one pixel.
#: The scales and shifts of these files are one number each, which the converter writes as ops on a scalar.
CHANGED = {
    **{"shufflenet_v2_x0_5": 0.14, "convnext_tiny": 0.08, "vit_b_32": 0.01, "swin_t": 0.2},
    # A batch norm that follows no conv in three ops on scalars; a pad of its own before each average pool.
    **{"densenet121": 0.6, "inception_v3": 0.07},
    **{"alexnet": 0.01, "mnasnet0_5": 0.01, "vgg11_bn": 0.01},
}


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
    for device in DEVICES:
        rules = predictor(device).rules
        kernels, expected = (
            Counter(kernel.spec.type for kernel in detect(graph, rules)) for graph in (lite, direct)
        )
        ms, expected_ms = predictor(device).predict(lite), predictor(device).predict(direct)
        assert ms == pytest.approx(expected_ms, rel=CHANGED.get(name, 0.01))
        assert kernels == expected or name in CHANGED
