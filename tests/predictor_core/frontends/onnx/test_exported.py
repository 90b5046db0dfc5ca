from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from predictor_core import LatencyPredictor
from predictor_core.frontends import find
from predictor_core.frontends.onnx import load
from predictor_core.ir.graph import Graph
from tests.torchvision_shim import import_torchvision

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")


def real(name: str) -> Any:
    """Return a torchvision model as a user would make it."""
    return import_torchvision().models.get_model(name, weights=None).eval()


def exported(module: Any, path: Path, *inputs: Any, dynamo: bool = False, **options: Any) -> Path:
    """Export a module as a user would, without simplification."""
    if dynamo:
        pytest.importorskip("onnxscript")
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            torch.onnx.export(
                module, inputs or (torch.zeros(1, 3, 224, 224),), str(path), dynamo=dynamo, **options
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return path


def counts(graph: Graph) -> dict[str, int]:
    return dict(Counter(node.op for node in graph))


#: What the architectures are made of, counted in their papers' words.
NETS: dict[str, dict[str, int]] = {
    "resnet18": {"input": 1, "conv": 20, "relu": 17, "maxpool": 1, "add": 8, "reduce_mean": 1, "fc": 1},
    "mobilenet_v2": {"input": 1, "conv": 35, "dwconv": 17, "relu6": 35, "add": 10, "reduce_mean": 1, "fc": 1},
    "mobilenet_v3_small": {
        **{"input": 1, "conv": 41, "dwconv": 11, "hswish": 19, "relu": 14, "reduce_mean": 10, "hsigmoid": 9},
        **{"mul": 9, "add": 6, "fc": 2},
    },
    "shufflenet_v2_x1_0": {
        **{"input": 1, "conv": 37, "dwconv": 19, "relu": 37, "maxpool": 1, "split": 13, "concat": 16},
        **{"channelshuffle": 16, "reduce_mean": 1, "fc": 1},
    },
    "squeezenet1_1": {"input": 1, "conv": 26, "relu": 26, "maxpool": 3, "concat": 8, "reduce_mean": 1},
}


#: What the slower exporter, torch's second one, writes in other ways than the first.
DYNAMO = ("mobilenet_v3_small", "shufflenet_v2_x1_0")
EXPORTS = [*((name, False) for name in NETS), *((name, True) for name in DYNAMO)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dynamo"), EXPORTS, ids=[f"{name}-{'dynamo' if new else 'torchscript'}" for name, new in EXPORTS]
)
@pytest.mark.filterwarnings("ignore")
def test_raw_export(name: str, dynamo: bool, devices: list[LatencyPredictor], tmp_path: Path) -> None:
    module = real(name)
    graph = load(exported(module, tmp_path / "net.onnx", dynamo=dynamo))
    assert counts(graph) == NETS[name]
    assert graph.inputs[0].shape == (1, 224, 224, 3)
    assert graph.nodes[-1].shape == (1, 1000)
    direct = find("torch")(module, input_shape=(1, 3, 224, 224), via="direct")
    for device in devices:
        assert device.predict(graph) == pytest.approx(device.predict(direct), rel=1e-6), device.name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_raw_export_with_batch_norms_and_open_dimensions(tmp_path: Path) -> None:
    axes = {"x": {0: "batch", 2: "height", 3: "width"}}
    path = exported(
        real("mobilenet_v2"),
        tmp_path / "net.onnx",
        input_names=["x"],
        dynamic_axes=axes,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.TRAINING,
    )
    graph = load(path, input_shape=(2, 3, 192, 160))
    assert counts(graph) == NETS["mobilenet_v2"]
    assert graph["x"].shape == (2, 192, 160, 3)
    assert graph.nodes[-1].shape == (2, 1000)


class Attention(torch.nn.Module):  # type: ignore[misc]
    """A patch embedding, a transformer block and its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 32, 8, 8)
        self.block = torch.nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)
        self.norm = torch.nn.LayerNorm(32)
        self.head = torch.nn.Linear(32, 10)

    def forward(self, x: Any) -> Any:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.block(tokens))[:, 0])


@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
@pytest.mark.filterwarnings("ignore")
def test_transformer_block(dynamo: bool, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    graph = load(exported(Attention().eval(), path, torch.zeros(2, 3, 32, 32), dynamo=dynamo))
    found = counts(graph)
    assert {op: found[op] for op in ("conv", "fc", "matmul", "softmax", "layernorm", "gelu", "add")} == {
        **{"conv": 1, "fc": 5, "matmul": 2, "softmax": 1, "layernorm": 3, "gelu": 1, "add": 2}
    }
    assert graph.nodes[-1].shape == (2, 10)
    assert [node.shape for node in graph if node.op == "softmax"] == [(2, 4, 16, 16)]


def test_published_onnx_files(shared_data: Path, tmp_path: Path) -> None:
    """Networks that nn-Meter's own torch path exported and simplified."""
    files = sorted((shared_data / "legacy" / "onnx").glob("*.onnx.gz"))
    assert files
    for file in files:
        name = file.name[: -len(".onnx.gz")]
        path = tmp_path / f"{name}.onnx"
        with gzip.open(file, "rb") as source:
            path.write_bytes(source.read())
        graph = load(path)
        path.unlink()
        assert graph.nodes[-1].shape[-1] == 1000
        if name in NETS:
            assert counts(graph) == NETS[name]
