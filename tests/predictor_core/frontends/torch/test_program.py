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
from predictor_core.errors import GraphError, ModelFormatError, PredictorError, UnsupportedOpError  # noqa: E402
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
    program = saved(tmp_path / "model.pt2", Quantised(), (1, 8, 16))
    for graph in (
        load(tmp_path / "model.pt2"),
        load(program),
        load(Quantised(), input_shape=(1, 8, 16), via="direct"),
    ):
        assert [node.op for node in graph] == ["input", "transpose", "matmul", "relu"]
        assert graph.warnings == ("the model is quantised; its ops are costed as ops on floats",)


class Small(torch.nn.Module):
    """Ops whose weights and activations PT2E quantises."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, 2, 1)
        self.depthwise = torch.nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.fc = torch.nn.Linear(8, 10)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.conv(x))
        return self.fc((torch.relu(self.depthwise(x)) + x).mean((2, 3)))


@pytest.mark.parametrize("dynamic", [False, True])
def test_what_pt2e_makes_of_a_module(dynamic: bool, tmp_path: Path) -> None:
    name = "torchao.quantization.pt2e"
    pt2e = pytest.importorskip(f"{name}.quantize_pt2e")
    x86 = pytest.importorskip(f"{name}.quantizer.x86_inductor_quantizer")
    module, examples = Small().eval(), (torch.randn(1, 3, 32, 32),)
    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config(is_dynamic=dynamic))
    prepared = pt2e.prepare_pt2e(torch.export.export(module, examples).module(), quantizer)
    prepared(*examples)
    converted = pt2e.convert_pt2e(prepared)
    program = torch.export.export(converted, examples)
    torch.export.save(program, tmp_path / "model.pt2")
    expected = load(module, input_shape=(1, 3, 32, 32))
    for graph in (
        load(converted, input_shape=(1, 3, 32, 32)),
        load(program),
        load(tmp_path / "model.pt2"),
    ):
        assert [(node.op, node.shape) for node in graph] == [(node.op, node.shape) for node in expected]
        assert graph.warnings == ("the model is quantised; its ops are costed as ops on floats",)


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


@pytest.mark.parametrize("layers", [0, -1, 2, 2**62])
def test_the_layers_of_a_recurrent_op_are_those_it_has_weights_for(layers: int, tmp_path: Path) -> None:
    saved(tmp_path / "model.pt2", torch.nn.LSTM(4, 8), (3, 1, 4))
    with zipfile.ZipFile(tmp_path / "model.pt2") as archive:
        name = next(name for name in archive.namelist() if name.endswith("model.json"))
        program = json.loads(archive.read(name))
    (node,) = [node for node in program["graph_module"]["graph"]["nodes"] if "lstm" in node["target"]]
    counts = [given["arg"] for given in node["inputs"] if "as_int" in given["arg"]]
    assert counts == [{"as_int": 1}]
    counts[0]["as_int"] = layers
    with zipfile.ZipFile(tmp_path / "forged.pt2", "w") as archive:
        archive.writestr(name, json.dumps(program))
    with pytest.raises(GraphError, match=f"a recurrent op of {layers} layers in 1 directions has 4 weights"):
        load(tmp_path / "forged.pt2")


class Picked(torch.nn.Module):
    """Indices, one of a kind with two outputs of which one is read, and rows that are written."""

    def forward(self, x: Any) -> Any:
        x = x[:, [0, 2, 3]]
        x = torch.nn.functional.adaptive_max_pool2d(x, 3)
        x[:, [0, 1]] = 0.0
        return x * 2


def test_indices_of_a_program_are_what_they_are_in_a_module(tmp_path: Path) -> None:
    saved(tmp_path / "model.pt2", Picked(), (1, 4, 10, 10))
    direct = load(Picked(), input_shape=(1, 4, 10, 10), via="direct")
    program = load(tmp_path / "model.pt2")
    wanted = {"gather": 1, "adaptivepool": 1, "ScatterND": 1, "mul": 1}
    for graph in (direct, program):
        assert Counter(node.op for node in graph if node.op in wanted) == wanted
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    assert predictor.predict(program) == pytest.approx(predictor.predict(direct), rel=0.01)


class Cut(torch.nn.Module):
    """The class token is taken off a long sequence by one of the ops that can make many parts."""

    def __init__(self, cut: Any) -> None:
        super().__init__()
        self.cut = cut

    def forward(self, x: Any) -> Any:
        token, rest = self.cut(x)
        return torch.relu(rest) + token


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: torch.tensor_split(x, [1], dim=1),
        lambda x: torch.ops.aten.tensor_split.indices(x, [1], 1),
        lambda x: torch.ops.aten.split.sizes(x, [1, 4999], 1),
    ],
)
def test_a_long_dimension_is_cut_at_places_that_are_listed(cut: Any, tmp_path: Path) -> None:
    saved(tmp_path / "model.pt2", Cut(cut), (1, 5000, 8))
    graph = load(tmp_path / "model.pt2")
    assert next(node.shape for node in graph if node.op == "relu") == (1, 4999, 8)


class Inside(torch.nn.Module):
    """A function of an image, or of what it is given."""

    def __init__(self, function: Any, *layers: torch.nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = torch.nn.ModuleList(layers)

    def forward(self, x: Any) -> Any:
        return self.function(*self.layers, x) * 2.0


def _resized(mode: str, **kwargs: Any) -> Any:
    return lambda x: torch.nn.functional.interpolate(x, scale_factor=0.5, mode=mode, **kwargs)


LINE, IMAGE, VOLUME = (1, 8, 32), (1, 8, 16, 16), (1, 8, 8, 8, 8)
DECOMPOSED = {
    "nearest1d": (LINE, "resize", _resized("nearest")),
    "linear": (LINE, "resize", _resized("linear")),
    "exact1d": (LINE, "resize", _resized("nearest-exact")),
    "exact2d": (IMAGE, "resize", _resized("nearest-exact")),
    "bilinear aa": (IMAGE, "resize", _resized("bilinear", antialias=True)),
    "bicubic aa": (IMAGE, "resize", _resized("bicubic", antialias=True)),
    "nearest3d": (VOLUME, "resize", _resized("nearest")),
    "trilinear": (VOLUME, "resize", _resized("trilinear")),
    "exact3d": (VOLUME, "resize", _resized("nearest-exact")),
    "pad": (IMAGE, "pad", lambda x: torch.nn.functional.pad(x, (1, 2, 1, 0))),
    "pool2d": (IMAGE, "adaptivepool", lambda x: torch.nn.functional.adaptive_avg_pool2d(x, (5, 3))),
    "pool3d": (VOLUME, "adaptivepool", lambda x: torch.nn.functional.adaptive_avg_pool3d(x, 3)),
    "layer norm": (LINE, "layernorm", lambda norm, x: norm(x), torch.nn.LayerNorm(32)),
    "group norm": (IMAGE, "groupnorm", lambda norm, x: norm(x), torch.nn.GroupNorm(2, 8)),
    "instance norm": (IMAGE, "instancenorm", lambda norm, x: norm(x), torch.nn.InstanceNorm2d(8)),
    "halves": (IMAGE, "split", lambda x: x[:, :4] + x[:, 4:].relu()),
    "every second pixel": (IMAGE, "slice", lambda x: x[:, :, ::2, 1::2]),
    "the last": (LINE, "slice", lambda x: x[:, -3:]),
    "infinity": (LINE, "where", lambda x: x.masked_fill(x > 0.5, float("-inf"))),
}


@pytest.mark.parametrize("name", DECOMPOSED)
def test_functions_of_a_program_are_those_of_its_module(name: str, tmp_path: Path) -> None:
    """Programs call ops that no module does: those that functions choose, and those of core ATen."""
    shape, op, function, *layers = DECOMPOSED[name]
    module = Inside(function, *layers).eval()
    program = torch.export.export(module, (torch.zeros(shape),))
    torch.export.save(program, tmp_path / "program.pt2")
    graphs = [load(module, input_shape=shape, via="direct"), load(tmp_path / "program.pt2")]
    # Decomposed, most resizes are the look-ups that they are made of.
    if op != "resize" or "aa" in name:
        torch.export.save(program.run_decompositions(), tmp_path / "core.pt2")
        graphs.append(load(tmp_path / "core.pt2"))
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    for graph in graphs:
        assert op in {node.op for node in graph}
        assert Counter(node.op for node in graph) == Counter(node.op for node in graphs[0])
        assert predictor.predict(graph) == pytest.approx(predictor.predict(graphs[0]), rel=1e-6)


def test_a_program_has_fused_attention(tmp_path: Path) -> None:
    def fused(q: Any) -> Any:
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, q, q)[0]

    def plain(q: Any) -> Any:
        return torch.nn.functional.scaled_dot_product_attention(q, q, q)

    saved(tmp_path / "model.pt2", Inside(fused), (1, 4, 9, 16))
    direct = load(Inside(plain), input_shape=(1, 4, 9, 16), via="direct")
    assert Counter(node.op for node in load(tmp_path / "model.pt2")) == Counter(node.op for node in direct)


def test_open_dimensions_are_filled_as_in_other_formats(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.AdaptiveAvgPool2d(1)).eval()
    dims = {
        axis: torch.export.Dim(name, min=least, max=512)
        for axis, name, least in ((0, "n", 1), (2, "h", 16), (3, "w", 16))
    }
    program = torch.export.export(module, (torch.zeros(2, 3, 64, 48),), dynamic_shapes=({**dims},))
    torch.export.save(program, tmp_path / "model.pt2")
    for model in (program, tmp_path / "model.pt2"):
        graph = load(model)
        assert graph.inputs[0].shape == (1, 64, 48, 3)
        assert "leaves the batch open; 1 is taken" in " ".join(graph.warnings)
        assert "those of its example are taken: [3, 64, 48]" in " ".join(graph.warnings)
        for shape in ((1, 3, 32, 96), (1, 32, 96, 3), (3, 32, 96), {"input": (1, 3, 32, 96)}):
            graph = load(model, input_shape=shape)
            assert graph.inputs[0].shape == (1, 32, 96, 3)
            assert not graph.warnings
        with pytest.raises(
            ModelFormatError, match=r"has the shape \[.*\], which input_shape .* does not fit"
        ):
            load(model, input_shape=(1, 5, 32, 96))
