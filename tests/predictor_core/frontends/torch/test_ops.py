"""What torch functions become: the nodes of small models, directly and via ONNX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from predictor_core.frontends.torch import load  # noqa: E402
from predictor_core.ir.graph import Graph, Node  # noqa: E402

IMAGE = (1, 3, 8, 8)


class Net(nn.Module):
    """A function of some layers and the inputs."""

    def __init__(self, function: Callable[..., Any], *layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self.layers, *inputs)


def ops(graph: Graph) -> str:
    return " ".join(node.op for node in graph.nodes if node.op != "input")


def described(graph: Graph) -> Counter[str]:
    """What the nodes of a graph do, without their names and their order."""
    return Counter(_described(graph, node) for node in graph.nodes)


def _described(graph: Graph, node: Node) -> str:
    attrs = {key: round(value, 5) if isinstance(value, float) else value for key, value in node.attrs.items()}
    return f"{node.op} {graph.input_shapes(node)} {node.outputs} {sorted(attrs.items())}"


def attention(layers: Any, x: Any) -> Any:
    batch, tokens, width = x.shape
    query, key, value = layers[0](x).reshape(batch, tokens, 3, 4, width // 4).permute(2, 0, 3, 1, 4).unbind(0)
    found = F.scaled_dot_product_attention(query, key, value)
    return layers[1](found.transpose(1, 2).reshape(batch, tokens, width))


def decoder_block(layers: Any, ids: Any) -> Any:
    """A causal transformer block as language models write it: mask, positions, dropout, dict output."""
    hidden = layers[0](ids) + layers[1](torch.arange(ids.shape[1], device=ids.device))[None]
    hidden = layers[2](hidden)
    query, key, value = (layer(hidden).view(1, -1, 4, 16).transpose(1, 2) for layer in layers[3:6])
    mask = torch.full((16, 16), float("-inf"), device=hidden.device).triu(1)
    scores = torch.matmul(query, key.transpose(-1, -2)) / 4.0 + mask
    weights = F.dropout(scores.softmax(-1), 0.1, training=True)
    mixed = (weights @ value).permute(0, 2, 1, 3).contiguous().view(1, 16, 64)
    return {"hidden": hidden + layers[6](mixed)}


def filled(layers: Any, x: Any) -> Any:
    """Write a slice of a constant."""
    out = torch.zeros(1, 8, 8, 8, device=x.device)
    out[:, :4] = layers[0](x)[:, :4]
    return out * 2


ATTENTION = (
    "fc reshape transpose reshape gather gather gather reshape transpose reshape transpose reshape transpose "
    "reshape reshape reshape transpose mul mul matmul softmax matmul transpose reshape fc reshape"
)

#: model, input shape, canonical ops. Both ways of conversion must give the same nodes.
CASES: dict[str, tuple[nn.Module, Any, str]] = {
    "a tensor made a tensor": (Net(lambda _, x: torch.as_tensor(x.relu()) * 2.0), IMAGE, "relu mul"),
    "bytes": (Net(lambda _, x: (x * 255.0).byte().float() * 2.0), IMAGE, "mul mul"),
    "noise": (Net(lambda _, x: x.relu() + torch.randn_like(x) * 2.0), IMAGE, "relu add"),
    "lstm": (nn.LSTM(8, 16), (5, 1, 8), "lstm reshape"),
    "bidirectional lstm of two layers": (
        nn.LSTM(8, 16, 2, batch_first=True, bidirectional=True),
        (1, 5, 8),
        "reshape lstm reshape lstm reshape concat concat",
    ),
    "gru": (nn.GRU(8, 16, batch_first=True), (1, 5, 8), "reshape gru reshape"),
    "attention": (
        Net(attention, nn.Linear(64, 192), nn.Linear(64, 64)),
        (1, 16, 64),
        "fc reshape transpose split reshape reshape reshape transpose mul mul matmul softmax matmul "
        "transpose reshape fc",
    ),
    "multi-head attention": (
        Net(lambda m, x: m[0](x, x, x, need_weights=False)[0], nn.MultiheadAttention(32, 4)),
        (10, 1, 32),
        ATTENTION,
    ),
    "encoder layer": (
        nn.TransformerEncoderLayer(32, 4, 64, batch_first=True),
        (1, 10, 32),
        f"reshape {ATTENTION} add layernorm fc relu fc add layernorm",
    ),
    "transposed conv": (
        nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1), nn.ReLU()
        ),
        (1, 3, 16, 16),
        "conv convtranspose relu",
    ),
    "one dimension": (
        nn.Sequential(
            *(nn.Conv1d(4, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 3)),
        ),
        (1, 4, 32),
        "conv relu maxpool reduce_mean fc",
    ),
    "three dimensions": (
        nn.Sequential(
            *(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2), nn.AdaptiveAvgPool3d(1)),
            nn.Flatten(),
        ),
        (1, 3, 8, 16, 16),
        "conv3d relu maxpool3d reduce_mean",
    ),
    "same padding": (nn.Conv2d(3, 4, (3, 5), padding="same", dilation=2), IMAGE, "conv"),
    "reflecting padding": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), IMAGE, "pad conv"),
    "pools": (
        nn.Sequential(
            *(nn.Conv2d(3, 4, 1), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2)),
            *(nn.AdaptiveAvgPool2d(2), nn.AdaptiveMaxPool2d(1)),
        ),
        (1, 3, 33, 33),
        "conv maxpool avgpool avgpool reduce_max",
    ),
    "norms": (
        nn.Sequential(nn.Conv2d(4, 8, 1), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True)),
        (1, 4, 8, 8),
        "conv groupnorm instancenorm",
    ),
    "channels-last norm": (
        Net(
            lambda m, x: m[1](m[0](x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
            nn.Conv2d(3, 8, 1),
            nn.LayerNorm(8),
        ),
        IMAGE,
        "conv layernorm",
    ),
    "spelled rms norm": (
        Net(
            lambda m, x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * m[0].weight,
            nn.LayerNorm(8),
        ),
        (1, 4, 8),
        "rmsnorm",
    ),
    "activations": (
        nn.Sequential(
            *(nn.Conv2d(3, 4, 1), nn.ReLU6(), nn.Hardswish(), nn.Hardsigmoid(), nn.SiLU(), nn.GELU()),
            *(nn.GELU("tanh"), nn.Mish(), nn.Softplus(), nn.LeakyReLU(), nn.PReLU(), nn.ELU(), nn.SELU()),
            *(nn.Hardtanh(), nn.Tanh(), nn.Sigmoid(), nn.Softmax(1), nn.LogSoftmax(1)),
        ),
        IMAGE,
        "conv relu6 hswish hsigmoid swish gelu gelu mish softplus leakyrelu prelu elu selu clip tanh sigmoid "
        "softmax logsoftmax",
    ),
    "gated": (nn.Sequential(nn.Conv2d(3, 8, 1), nn.GLU(1)), IMAGE, "conv split sigmoid mul"),
    "resizing": (
        nn.Sequential(
            *(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2), nn.Upsample(size=(40, 40), mode="bilinear")),
            *(nn.PixelShuffle(2), nn.ZeroPad2d(1), nn.ReflectionPad2d(1)),
        ),
        IMAGE,
        "conv resize resize depthtospace pad pad",
    ),
    "arithmetic": (
        Net(
            lambda _, x: (
                (1 - x) * 2 + x / 3 + 3 / (x.abs() + 1) - torch.maximum(x, x * 2) + x**2 + x.sub(x, alpha=2)
            )
        ),
        (1, 8),
        "sub mul div add abs add reciprocal mul add mul max sub pow add mul sub add",
    ),
    "reductions": (
        Net(
            lambda m, x: (
                m[0](x).mean((2, 3), keepdim=True) * x.sum()
                + x.amax(1, keepdim=True)
                + x.max(1)[0].unsqueeze(1)
                + x.std(1, keepdim=True)
                + x.norm(dim=1, keepdim=True)
            ),
            nn.Conv2d(3, 3, 1),
        ),
        IMAGE,
        "conv reduce_mean reduce_sum mul reduce_max add reduce_max add reduce_mean sub mul reduce_mean mul "
        "div sqrt add reduce_sum add",
    ),
    "indexing": (
        Net(
            lambda m, x: torch.cat(
                [m[0](x)[:, 1:, ::2, 0], x[:, 0, :, -1:].transpose(1, 2).expand(-1, 2, -1)[..., :4]], 1
            ),
            nn.Conv2d(3, 3, 1),
        ),
        IMAGE,
        "conv slice gather gather slice expand slice concat",
    ),
    "writing a slice": (Net(filled, nn.Conv2d(3, 8, 1)), IMAGE, "conv slice ScatterND mul"),
    "einsum": (
        Net(lambda m, x: torch.einsum("bchw,bdhw->bcd", m[0](x), x), nn.Conv2d(3, 4, 1)),
        IMAGE,
        "conv transpose reshape reshape matmul",
    ),
    "split": (
        Net(lambda m, x: torch.cat(list(reversed(m[0](x).split([1, 3, 4], 1))), 1), nn.Conv2d(3, 8, 1)),
        IMAGE,
        "conv split concat",
    ),
    "chunk": (
        Net(lambda m, x: torch.mul(*m[0](x).chunk(2, 1)), nn.Conv2d(3, 8, 1)),
        IMAGE,
        "conv split mul",
    ),
    "roll": (
        Net(lambda m, x: torch.roll(m[0](x), (1, -2), (2, 3)), nn.Conv2d(3, 8, 1)),
        IMAGE,
        "conv split concat split concat",
    ),
    "products with weights": (
        Net(
            lambda m, x: torch.addmm(m[0].bias, x, m[0].weight.t()) + x @ m[0].weight.t(),
            nn.Linear(4, 6),
        ),
        (2, 4),
        "fc fc add",
    ),
    "flatten": (nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), IMAGE, "reshape fc"),
    "choices": (
        Net(lambda _, x: torch.where(x > 0, x, x * 2).masked_fill(x < -1, 0.0)),
        (1, 8),
        "Greater mul where Less where",
    ),
    "normalised features": (
        Net(lambda m, x: F.normalize(m[0](x), dim=1), nn.Conv2d(3, 4, 1)),
        IMAGE,
        "conv l2norm",
    ),
    "joins of joins": (
        Net(lambda m, x: torch.cat([torch.cat([m[0](x), x], 1), x], 1), nn.Conv2d(3, 4, 1)),
        IMAGE,
        "conv concat",
    ),
    "channel shuffle": (
        Net(
            lambda m, x: m[0](x).view(1, 2, 4, 8, 8).transpose(1, 2).contiguous().view(1, 8, 8, 8),
            nn.Conv2d(3, 8, 1),
        ),
        IMAGE,
        "conv channelshuffle",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_ops(name: str) -> None:
    model, shape, expected = CASES[name]
    assert ops(load(model, input_shape=shape, via="direct")) == expected


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
def test_both_ways_give_the_same_nodes(name: str) -> None:
    pytest.importorskip("onnx")
    model, shape, _ = CASES[name]
    direct, onnx = (load(model, input_shape=shape, via=via) for via in ("direct", "onnx"))
    assert described(direct) == described(onnx)


@pytest.mark.filterwarnings("ignore")
def test_a_language_models_block() -> None:
    layers = (
        nn.Embedding(100, 64),
        nn.Embedding(16, 64),
        nn.LayerNorm(64),
        *(nn.Linear(64, 64) for _ in range(4)),
    )
    model = Net(decoder_block, *layers)
    ids = torch.zeros(1, 16, dtype=torch.long)
    graph = load(model, example_inputs=ids, via="direct")
    assert ops(graph) == (
        "embedding add layernorm fc reshape transpose fc reshape fc reshape transpose transpose matmul div "
        "add softmax matmul transpose reshape fc add"
    )
    assert {node.scope for node in graph.nodes if node.op == "fc"} == {f"layers.{i}" for i in range(3, 7)}
    # Shapes alone are enough, whatever the type of the ids.
    assert ops(load(model, input_shape=(1, 16), via="direct")) == ops(graph)
    pytest.importorskip("onnx")
    assert described(load(model, example_inputs=ids, via="onnx")) == described(graph)


def test_max_pool_with_indices_has_two_outputs() -> None:
    model = Net(lambda m, x: m[1](*m[0](x)), nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2))
    graph = load(model, input_shape=IMAGE)
    assert graph["layers.0"].outputs == ((1, 4, 4, 3), (1, 4, 4, 3))
    assert graph.producer(graph.outputs[0]).inputs == ("layers.0:0", "layers.0:1")
    assert graph.producer(graph.outputs[0]).op == "max_unpool2d"


def test_unknown_functions_keep_their_name() -> None:
    grid = torch.zeros(1, 5, 5, 2)
    graph = load(Net(lambda m, x: F.grid_sample(m[0](x), grid), nn.Conv2d(3, 4, 1)), input_shape=IMAGE)
    assert ops(graph) == "conv grid_sampler"
    assert graph.nodes[-1].shape == (1, 5, 5, 4)


def test_constants_are_no_nodes() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(9, 4))
            self.register_buffer("index", torch.zeros(2, 8, dtype=torch.long))
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, x: Any) -> Any:
            bias = self.table[self.index.view(-1)].view(2, 8, 4).permute(2, 0, 1).sum(0)
            return (x + bias.softmax(-1)) * self.scale

    graph = load(Positions(), input_shape=(2, 8))
    assert ops(graph) == "add mul"
    assert graph["add"].attrs == {"const_shape": (2, 8)}
    assert graph["mul"].attrs == {"const": 2.0}


def test_in_place_functions_change_what_is_read_next() -> None:
    def run(layers: Any, x: Any) -> Any:
        x = layers[0](x)
        x.relu_()
        x += 1
        F.hardtanh(x, 0.0, 6.0, inplace=True)
        return x.clone().mul_(2), x

    graph = load(Net(run, nn.Conv2d(3, 4, 1)), input_shape=IMAGE)
    assert ops(graph) == "conv relu add relu6 mul"
    assert graph["mul"].inputs == graph.outputs[1:]


def test_custom_autograd_functions_are_followed() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * x

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad

    assert ops(
        load(Net(lambda m, x: Square.apply(m[0](x)).relu(), nn.Conv2d(3, 4, 1)), input_shape=IMAGE)
    ) == ("conv mul relu")


KEYWORDS: dict[str, Callable[[Any, Any], Any]] = {
    "mm": lambda x, w: torch.mm(input=x, mat2=w),
    "addmm": lambda x, w: torch.addmm(x[:, :1], mat1=x, mat2=w),
    "baddbmm": lambda x, w: x[None, :, :1].baddbmm(batch1=x[None], batch2=w[None], beta=1.0, alpha=0.5),
    "pow": lambda x, w: x.pow(exponent=3),
    "mv": lambda x, w: x.mv(vec=w[:, 0]),
    "outer": lambda x, w: torch.outer(x[0], vec2=w[0]),
    "swapaxes": lambda x, w: x.swapaxes(axis0=0, axis1=1),
}


@pytest.mark.parametrize("name", KEYWORDS)
def test_arguments_by_keyword(name: str) -> None:
    def net(called: Any) -> Net:
        return Net(lambda layers, x: called(x, layers[0].weight.T), nn.Linear(4, 6))

    positional: dict[str, Callable[[Any, Any], Any]] = {
        "mm": torch.mm,
        "addmm": lambda x, w: torch.addmm(x[:, :1], x, w),
        "baddbmm": lambda x, w: torch.baddbmm(x[None, :, :1], x[None], w[None], alpha=0.5),
        "pow": lambda x, w: x**3,
        "mv": lambda x, w: x.mv(w[:, 0]),
        "outer": lambda x, w: torch.outer(x[0], w[0]),
        "swapaxes": lambda x, w: x.swapaxes(0, 1),
    }
    graphs = [
        load(net(called), input_shape=(3, 4), via="direct") for called in (KEYWORDS[name], positional[name])
    ]
    assert described(graphs[0]) == described(graphs[1])


def test_the_experts_of_a_mixture_are_products_of_equal_groups() -> None:
    grouped_mm = getattr(F, "grouped_mm", None)
    if grouped_mm is None:
        pytest.skip("this torch has no grouped products")

    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Parameter(torch.empty(8, 16, 32))

        def forward(self, x: Any, ids: Any) -> Any:
            groups, order = torch.sort(ids)
            sizes = torch.histc(groups, bins=8, min=0, max=7)
            return grouped_mm(x[order], self.up, offs=torch.cumsum(sizes, 0, dtype=torch.int32))

    # Twelve rows: six of the eight experts work, on two rows each.
    graph = load(Experts(), example_inputs=(torch.empty(12, 16), torch.empty(12)), via="direct")
    (matmul,) = (node for node in graph if node.op == "matmul")
    assert matmul.shape == (6, 2, 32)
    assert matmul.attrs["const_shape"] == (6, 16, 32)
    assert graph[graph.outputs[0]].shape == (12, 32)


class ChecksValues(nn.Module):
    """Looks at values, unless torch captures it."""

    def __init__(self, values: Callable[[Any], Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.values = values

    def forward(self, x: Any) -> Any:
        if not torch.compiler.is_compiling() and self.values(x).isnan().any():
            raise ValueError("not a number")
        return self.layer(x)


@pytest.mark.parametrize(
    "values", [lambda x: x, lambda x: torch.zeros(4, device=x.device)], ids=["input", "constant"]
)
def test_checks_that_are_left_out_of_captured_models_are_left_out(values: Callable[[Any], Any]) -> None:
    graph = load(ChecksValues(values), input_shape=(1, 4), via="direct")
    assert ops(graph) == "fc"
    assert not graph.warnings
    assert not torch.compiler.is_compiling()


class ChecksWithTorch(nn.Module):
    """Has torch check values of its input and of a buffer."""

    def __init__(self, check: Callable[[Any, str], Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("known", torch.zeros(4, device="meta"))
        self.check = check

    def forward(self, x: Any) -> Any:
        self.check(x >= 0.0, "negative")
        self.check(self.known >= 0.0, "negative")
        return self.layer(x)


@pytest.mark.parametrize(
    "check",
    [
        lambda holds, text: torch._check_tensor_all_with(ValueError, holds, lambda: text),
        lambda holds, text: torch._check_tensor_all(holds, lambda: text),
        lambda holds, text: torch._assert(holds.all(), text),
    ],
    ids=["check_with", "check", "assert"],
)
def test_checks_of_values_by_torch_are_left_out(check: Callable[[Any, str], Any]) -> None:
    graph = load(ChecksWithTorch(check), input_shape=(1, 4), via="direct")
    assert ops(graph) == "fc"
    assert not graph.warnings


def test_exported_programs_and_graph_modules() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)
    ).eval()
    assert ops(load(torch.fx.symbolic_trace(model), input_shape=IMAGE)) == "conv relu reshape fc"
    program = torch.export.export(model, (torch.zeros(IMAGE),))
    assert ops(load(program, input_shape=IMAGE)) == "conv relu reshape fc"


@pytest.mark.parametrize(
    ("size", "stride", "expected"),
    [
        ((1, 15, 16, 4), (256, 16, 4, 1), "gather relu"),
        ((1, 8, 4, 4), (256, 32, 4, 1), "gather relu"),
        ((1, 16, 16), (256, 16, 1), "reshape relu"),
    ],
    ids=["windows that overlap", "every second row", "all in order"],
)
def test_strides_move_data(size: tuple[int, ...], stride: tuple[int, ...], expected: str) -> None:
    graph = load(Net(lambda _, x: x.as_strided(size, stride).relu()), input_shape=(1, 4, 16, 4), via="direct")
    assert ops(graph) == expected
    assert sorted(graph.nodes[-1].outputs[0]) == sorted(size)


@pytest.mark.filterwarnings("ignore")
def test_scripted_functions_are_not_lost() -> None:
    pytest.importorskip("onnx")

    @torch.jit.script
    def gate(x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x)

    model = Net(lambda m, x: m[0](x) + gate(m[0](x)), nn.Conv2d(3, 4, 1))
    assert ops(load(model, input_shape=IMAGE)) == "conv swish add"
