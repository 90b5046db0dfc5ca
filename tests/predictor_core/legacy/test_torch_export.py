from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import MissingDependencyError, ModelFormatError
from predictor_core.legacy.detection import detect
from predictor_core.legacy.predictor import LegacyPredictor
from predictor_core.legacy.rules import FusionRules
from predictor_core.legacy.upstream_ir import to_upstream_ir
from tests.torchvision_shim import import_torchvision

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxsim")


def _net() -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Dropout(),
    ).train()


def test_a_module_is_read_folded_and_named() -> None:
    net = _net()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(5)
    expected_draw = torch.rand(1)
    torch.manual_seed(5)

    ir = to_upstream_ir(net, "torch", (1, 3, 32, 16))

    assert torch.equal(torch.rand(1), expected_draw)
    assert net.training
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    kernels = detect(ir, FusionRules(pairs=frozenset({("conv", "relu")})))
    assert [(kernel.op, kernel.fields["input_tensors"][0]) for kernel in kernels] == [
        ("conv-relu", [1, 32, 16, 3]),
        ("dwconv", [1, 16, 8, 8]),
    ]


@pytest.mark.parametrize("shape", [(1, 4, 32, 32), (1, 3)])
def test_a_module_that_does_not_fit_its_input(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelFormatError, match="Sequential can't be exported to ONNX with input_shape"):
        to_upstream_ir(_net(), "torch", shape)


def test_what_is_no_module() -> None:
    with pytest.raises(ModelFormatError, match=r"expected a torch\.nn\.Module, got dict"):
        to_upstream_ir({}, "torch", (1, 3, 8, 8))


def test_without_onnxsim_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxsim", None)

    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[all\]'"):
        to_upstream_ir(_net(), "torch", (1, 3, 8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mobilenet_v2", "squeezenet1_1", "mobilenet_v3_small"])
def test_torchvision_models_give_nn_meter_s_numbers(
    model: str, legacy_data: Path, golden_packs: Path
) -> None:
    torchvision = import_torchvision()
    with gzip.open(legacy_data / "golden.jsonl.gz", "rt") as file:
        lines = [line for line in map(json.loads, file) if line["model"] == model and line["input"] == "onnx"]
    module = getattr(torchvision.models, model)(weights=None)

    irs = [to_upstream_ir(module, "torch", None), to_upstream_ir(model, "torchvision", (1, 3, 224, 224))]
    assert lines
    for line in lines:
        predictor = LegacyPredictor.from_folder(golden_packs / "0.24.2" / line["predictor"])
        latencies_ms = predictor.predict_many(irs, "nnmeter-ir")
        assert latencies_ms == pytest.approx([line["latency_ms"]] * 2, rel=1e-6)
