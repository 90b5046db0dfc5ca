"""The same architecture through every format: the same kernels and the same milliseconds on every device."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from predictor_core import load_latency_predictor, model_to_graph  # noqa: E402
from predictor_core.frontends import find  # noqa: E402
from predictor_core.frontends.torch import torchvision as frontend  # noqa: E402
from predictor_core.fusion import detect  # noqa: E402
from predictor_core.ir.graph import Graph  # noqa: E402
from tests.devices import DEVICES  # noqa: E402
from tests.torchvision_shim import import_torchvision  # noqa: E402

#: Input size by architecture. Exporting those of the second table takes several seconds each.
QUICK = {
    **{"mnasnet0_5": 96, "mobilenet_v2": 96, "mobilenet_v3_small": 96, "squeezenet1_1": 96, "resnet18": 64},
    **{"resnext50_32x4d": 64, "shufflenet_v2_x0_5": 96, "googlenet": 96, "alexnet": 224},
}
SLOW = {
    **{"densenet121": 64, "efficientnet_b0": 64, "inception_v3": 128, "regnet_y_400mf": 64, "vgg11_bn": 224},
    **{"convnext_tiny": 64, "vit_b_32": 224, "swin_t": 112},
}
ARCHITECTURES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]

pytestmark = pytest.mark.filterwarnings("ignore")


@cache
def graphs(name: str) -> dict[str, Graph]:
    """The Graph of an architecture by way of conversion; `via ONNX` is what the torch front end does."""
    import_torchvision()
    import torch

    from predictor_core.frontends.torch.via_onnx import export

    size = {**QUICK, **SLOW}[name]
    shape = (1, 3, size, size)
    module = frontend.build(name)
    proto = export(module, (torch.empty(shape, device="meta"),), {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        from_file = find("onnx")(str(path))
    return {
        "direct": find("torch")(module, input_shape=shape, via="direct"),
        "via ONNX": find("onnx")(proto),
        "ONNX file": from_file,
        "IR": find("nnmeter-ir")(json.loads(json.dumps(model_to_graph(module, "torch", input_shape=shape)))),
    }


@cache
def predictor(device: str) -> Any:
    return load_latency_predictor(device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_format_gives_the_same_kernels_and_latency(name: str, device: str) -> None:
    ways = graphs(name)
    rules = predictor(device).rules
    expected = Counter(kernel.spec.type for kernel in detect(ways["direct"], rules))
    latency_ms = predictor(device).predict(ways["direct"])
    assert latency_ms > 0.5
    for way, graph in ways.items():
        assert Counter(kernel.spec.type for kernel in detect(graph, rules)) == expected, way
        assert predictor(device).predict(graph) == pytest.approx(latency_ms, rel=1e-6), way
