"""Programs of torch.export, as objects and as files."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from predictor_core import load_latency_predictor  # noqa: E402
from predictor_core.errors import ModelFormatError, PredictorError, UnsupportedOpError  # noqa: E402
from predictor_core.frontends.torch import load  # noqa: E402
from predictor_core.frontends.torch import torchvision as frontend  # noqa: E402
from tests.torchvision_shim import import_torchvision  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def saved(path: Path, module: Any, *shapes: tuple[int, ...]) -> Any:
    program = torch.export.export(module.eval(), tuple(torch.zeros(shape) for shape in shapes))
    torch.export.save(program, path)
    return program


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x0_5"])
def test_a_program_is_what_its_module_is(name: str, tmp_path: Path) -> None:
    module = import_torchvision().models.get_model(name, weights=None)
    program = saved(tmp_path / "model.pt2", module, (1, 3, 64, 64))
    direct = load(frontend.build(name), input_shape=(1, 3, 64, 64), via="direct")
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    for graph in (load(program), load(tmp_path / "model.pt2")):
        assert Counter(node.op for node in graph) == Counter(node.op for node in direct)
        assert predictor.predict(graph) == pytest.approx(predictor.predict(direct), rel=1e-6)
    # The ending tells the type.
    assert predictor.predict(tmp_path / "model.pt2") == pytest.approx(predictor.predict(direct), rel=1e-6)


class Quantised(torch.nn.Module):
    """What PT2E writes around a product."""

    def forward(self, x: Any) -> Any:
        ops = torch.ops.quantized_decomposed
        x = ops.quantize_per_tensor.default(x, 0.1, 0, -128, 127, torch.int8)
        x = ops.dequantize_per_tensor.default(x, 0.1, 0, -128, 127, torch.int8)
        return torch.relu(x @ x.transpose(-1, -2))


def test_a_quantised_program_is_costed_as_its_float_original(tmp_path: Path) -> None:
    pytest.importorskip("torch.ao.quantization.fx._decomposed")
    saved(tmp_path / "model.pt2", Quantised(), (1, 8, 16))
    graph = load(tmp_path / "model.pt2")
    assert [node.op for node in graph] == ["input", "transpose", "matmul", "relu"]
    assert any("quantised" in warning for warning in graph.warnings)


def test_what_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(ModelFormatError, match="it holds a pickle, which runs code"):
        load(path)
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    with pytest.raises(ModelFormatError, match="it is a TorchScript archive"):
        load(path)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(ModelFormatError, match="expected a zip archive"):
        load(path)
    with pytest.raises(ModelFormatError, match="No such file"):
        load(tmp_path / "absent.pt2")


def test_a_program_names_ops_of_torch_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    saved(path, torch.nn.ReLU(), (1, 4))
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("model.json"))
        text = archive.read(name).decode()
    for target in ("os.system", "torch.load", "torch.ops.aten.__class__", "_operator.attrgetter"):
        forged = tmp_path / "forged.pt2"
        with zipfile.ZipFile(forged, "w") as archive:
            archive.writestr(name, text.replace("torch.ops.aten.relu.default", target))
        with pytest.raises((UnsupportedOpError, ModelFormatError), match="none of torch's own ops"):
            load(forged)
    with zipfile.ZipFile(tmp_path / "cut.pt2", "w") as archive:
        archive.writestr(name, json.dumps({"graph_module": {}}))
    with pytest.raises(PredictorError, match="its program is malformed"):
        load(tmp_path / "cut.pt2")
