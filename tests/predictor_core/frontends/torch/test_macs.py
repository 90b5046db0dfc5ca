"""Multiply-accumulates of what is known are those of an independent count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from benchmarks.macs import counted_macs, graph_macs  # noqa: E402
from predictor_core.frontends.torch import load  # noqa: E402
from tests.predictor_core.frontends.torch.deformable import register_deform_conv  # noqa: E402
from tests.torchvision_shim import import_torchvision  # noqa: E402


class Weighted(nn.Module):
    """A function of the inputs and some weights."""

    def __init__(self, function: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(nn.Parameter(torch.rand(shape)) for shape in shapes)

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs, *self.weights)


class Steps(nn.Module):
    """A recurrent cell over a sequence."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Any) -> Any:
        state = None
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return state


def einsum(equation: str) -> Callable[..., Any]:
    return lambda *operands: torch.einsum(equation, *operands)


#: model, shapes of its inputs
OPS: dict[str, tuple[nn.Module, list[tuple[int, ...]]]] = {
    "conv1d": (nn.Conv1d(4, 8, 3, stride=2, padding=1), [(1, 4, 17)]),
    "conv2d": (nn.Conv2d(4, 8, 3, stride=2, dilation=2, padding=1), [(2, 4, 17, 18)]),
    "conv2d grouped": (nn.Conv2d(8, 12, (3, 5), groups=4), [(1, 8, 9, 9)]),
    "conv2d depthwise": (nn.Conv2d(8, 16, 3, groups=8), [(1, 8, 9, 9)]),
    "conv3d": (nn.Conv3d(4, 6, (2, 3, 3), groups=2), [(1, 4, 5, 9, 9)]),
    "convtranspose1d": (nn.ConvTranspose1d(4, 8, 3, stride=2), [(1, 4, 17)]),
    "convtranspose2d": (nn.ConvTranspose2d(4, 8, 3, stride=2, output_padding=1), [(2, 4, 7, 8)]),
    "convtranspose2d grouped": (nn.ConvTranspose2d(4, 8, 3, groups=2), [(1, 4, 7, 8)]),
    "convtranspose3d": (nn.ConvTranspose3d(4, 8, 2, stride=2), [(1, 4, 5, 6, 7)]),
    "convtranspose3d grouped": (nn.ConvTranspose3d(4, 8, 3, groups=4), [(2, 4, 5, 6, 7)]),
    "linear": (nn.Linear(16, 32), [(2, 5, 16)]),
    "matmul": (Weighted(torch.matmul), [(2, 3, 4, 5), (3, 5, 6)]),
    "matmul of a constant": (Weighted(lambda x, w: w @ x, (7, 5)), [(1, 5, 6)]),
    "matmul with constants in a batch": (Weighted(torch.matmul, (3, 5, 6)), [(3, 4, 5)]),
    "bmm": (Weighted(torch.bmm), [(2, 3, 4), (2, 4, 5)]),
    "baddbmm": (Weighted(torch.baddbmm), [(2, 3, 5), (2, 3, 4), (2, 4, 5)]),
    "addmm": (Weighted(torch.addmm), [(3, 5), (3, 4), (4, 5)]),
    "inner": (Weighted(torch.inner), [(4, 5), (6, 5)]),
    "multi_dot": (Weighted(lambda a, b, c: torch.linalg.multi_dot([a, b, c]), (5, 6), (6, 7)), [(4, 5)]),
    "tensordot": (Weighted(lambda a, w: torch.tensordot(a, w, dims=([1], [0])), (6, 12)), [(1, 6, 5, 5)]),
    "tensordot by number": (Weighted(lambda a, w: torch.tensordot(a, w, 2), (5, 4, 12)), [(1, 6, 5, 4)]),
    "einsum ellipsis": (Weighted(einsum("...ij,...jk->...ik")), [(1, 2, 5, 4), (1, 2, 4, 6)]),
    "einsum implicit": (Weighted(einsum("ij,jk")), [(5, 4), (4, 6)]),
    "einsum constant": (Weighted(einsum("nkctv,kvw->nctw"), (3, 8, 9)), [(1, 3, 4, 5, 8)]),
    "einsum constant batch": (Weighted(einsum("bhwc,hkc->bhwk"), (4, 6, 8)), [(2, 4, 5, 8)]),
    "einsum constant first": (Weighted(lambda x, w: torch.einsum("oc,ncl->nol", w, x), (9, 8)), [(1, 8, 7)]),
    "einsum numbers": (Weighted(lambda a, b: torch.einsum(a, [0, 1], b, [1, 2], [0, 2])), [(4, 5), (5, 6)]),
    "lstm": (nn.LSTM(8, 16, 2, bidirectional=True), [(5, 2, 8)]),
    "lstm projected": (nn.LSTM(8, 16, 2, proj_size=6, batch_first=True, bidirectional=True), [(2, 5, 8)]),
    "gru": (nn.GRU(8, 16, 2), [(5, 2, 8)]),
    "rnn": (nn.RNN(8, 16), [(5, 2, 8)]),
    "lstm cell": (Steps(nn.LSTMCell(8, 16)), [(2, 5, 8)]),
    "gru cell": (Steps(nn.GRUCell(8, 16)), [(2, 5, 8)]),
    "rnn cell": (Steps(nn.RNNCell(8, 16)), [(2, 5, 8)]),
    "attention": (Weighted(F.scaled_dot_product_attention), [(1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 8)]),
    "attention, masked": (
        Weighted(lambda q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m)),
        [(1, 2, 5, 8), (1, 1, 5, 5)],
    ),
    "attention, causal": (
        Weighted(lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True)),
        [(1, 2, 5, 8)],
    ),
    "attention, wide values": (
        Weighted(F.scaled_dot_product_attention),
        [(1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 12)],
    ),
    "attention, grouped": (
        Weighted(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True)),
        [(1, 8, 5, 8), (1, 2, 7, 8), (1, 2, 7, 8)],
    ),
    "attention, past keys": (
        Weighted(
            lambda q, past, k: F.scaled_dot_product_attention(
                q, torch.cat([past, k], 2), torch.cat([past, k], 2)
            )
        ),
        [(1, 2, 1, 8), (1, 2, 30, 8), (1, 2, 1, 8)],
    ),
    "attention, constant keys": (
        Weighted(F.scaled_dot_product_attention, (1, 2, 50, 8), (1, 2, 50, 8)),
        [(1, 2, 7, 8)],
    ),
    "multi-head attention": (nn.MultiheadAttention(16, 4), [(5, 1, 16), (7, 1, 16), (7, 1, 16)]),
    "transformer": (nn.Transformer(16, 4, 1, 1, 32, batch_first=True), [(1, 5, 16), (1, 6, 16)]),
}


@pytest.mark.parametrize("name", OPS)
def test_macs_of_an_op(name: str) -> None:
    model, shapes = OPS[name]
    inputs = [torch.rand(shape) for shape in shapes]
    expected = counted_macs(model, *inputs)
    assert expected > 0
    assert graph_macs(load(model, example_inputs=inputs)) == expected


class LearnedQueries(nn.Module):
    """Queries of a detector: their self-attention reads weights alone, until they meet the input."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.rand(1, 7, 16))
        self.first, self.second = (nn.MultiheadAttention(16, 4, batch_first=True) for _ in range(2))
        self.linear = nn.Linear(16, 5)

    def prepared(self) -> Any:
        zeros = torch.zeros_like(self.queries)
        return zeros + self.first(zeros + self.queries, self.queries, self.queries, need_weights=False)[0]

    def forward(self, x: Any) -> Any:
        made = self.second(self.prepared(), x, x, need_weights=False)[0]
        return self.linear(made)


class PreparedQueries(LearnedQueries):
    """The same with what weights alone make, as a runtime keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", super().prepared().detach())

    def prepared(self) -> Any:
        return self.kept


@pytest.mark.parametrize("via", ["direct", "onnx"])
def test_what_weights_alone_make_costs_nothing_and_all_else_is_counted(via: str) -> None:
    if via == "onnx":
        pytest.importorskip("onnx")
    x = torch.rand(1, 9, 16)
    first, second = load(LearnedQueries(), example_inputs=x, via=via), PreparedQueries()
    assert [node.op for node in first.nodes] == [
        node.op for node in load(second, example_inputs=x, via=via).nodes
    ]
    # The projection of the queries is a product of weights too.
    assert graph_macs(first) == counted_macs(second, x) - 7 * 16 * 16


def test_macs_of_bilinear() -> None:
    # Torch's counter has no rule for it: one product with all weights, and one of what it makes.
    graph = load(nn.Bilinear(12, 14, 16), input_shape=[(3, 12), (3, 14)])
    assert graph_macs(graph) == 3 * 16 * (12 * 14 + 14)
    assert graph.nodes[-1].shape == (3, 16)


@pytest.mark.parametrize("mask", [False, True])
def test_macs_of_a_deformable_convolution(mask: bool) -> None:
    register_deform_conv()

    def deform(x: Any, offset: Any, weight: Any) -> Any:
        scale = torch.ones(1, 9, 8, 8) if mask else torch.zeros(1, 0)
        return torch.ops.torchvision.deform_conv2d(
            x, weight, offset, scale, torch.zeros(12), 1, 1, 1, 1, 1, 1, 2, 1, mask
        )

    graph = load(Weighted(deform, (12, 4, 3, 3)), input_shape=[(1, 8, 8, 8), (1, 18, 8, 8)])
    (node,) = (node for node in graph if node.op == "deformconv")
    assert node.shape == (1, 8, 8, 12)
    assert graph_macs(graph) == 8 * 8 * 12 * 4 * 9


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bags(mode: str) -> None:
    bag = nn.EmbeddingBag(1000, 64, mode=mode)
    graph = load(bag, example_inputs=torch.zeros(3, 20, dtype=torch.long))
    assert [(node.op, node.shape) for node in graph] == [
        ("input", (3, 20)),
        ("embedding", (3, 20, 64)),
        (f"reduce_{mode}", (3, 64)),
    ]
    flat = load(bag, example_inputs=(torch.zeros(20, dtype=torch.long), torch.tensor([0, 4, 9])))
    assert [node.shape for node in flat if node.op != "input"] == [(3, 7, 64), (3, 64)]


def test_parts_without_elements_are_nothing() -> None:
    def prefix(x: Any) -> Any:
        none, rest = x.split([0, 5], 1)
        return torch.cat([none, x[:, :0], rest.relu()], 1)

    graph = load(Weighted(prefix), input_shape=(1, 5, 8))
    assert [node.op for node in graph] == ["input", "relu"]


def test_slices_with_one_start_and_several_ends_are_several() -> None:
    graph = load(Weighted(lambda x: x[:, :2].sum(1) + x[:, :3].sum(1)), input_shape=(1, 5, 8))
    assert [node.shape for node in graph if node.op == "slice"] == [(1, 2, 8), (1, 3, 8)]


def _torchvision(name: str) -> Any:
    return import_torchvision().models.get_model(name, weights=None)


def _timm(name: str) -> Any:
    import_torchvision()
    return pytest.importorskip("timm").create_model(name, pretrained=False)


def _pytorchcv(name: str) -> Any:
    pytest.importorskip("pytorchcv")
    from pytorchcv.model_provider import get_model

    return get_model(name, pretrained=False)


MODELS = [
    (_torchvision, "mobilenet_v3_small", 224),
    (_torchvision, "shufflenet_v2_x0_5", 224),
    (_torchvision, "squeezenet1_1", 224),
    (_torchvision, "regnet_y_400mf", 224),
    (_timm, "mixer_s32_224", 224),
    (_timm, "xcit_nano_12_p16_224", 224),
    (_timm, "levit_128s", 224),
    (_timm, "ghostnet_050", 224),
    (_pytorchcv, "igcv3_wd4", 224),
]


@pytest.mark.slow
@pytest.mark.parametrize(("build", "name", "size"), MODELS, ids=[name for _, name, _ in MODELS])
def test_macs_of_real_models(build: Callable[[str], Any], name: str, size: int) -> None:
    model = build(name).eval().to("meta")
    image = torch.empty(1, 3, size, size, device="meta")
    assert graph_macs(load(model, example_inputs=image)) == pytest.approx(
        counted_macs(model, image), rel=0.01
    )


@pytest.mark.slow
def test_macs_of_a_language_model_with_past_keys() -> None:
    import_torchvision()
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=100)
    model = transformers.GPT2Model(config).eval()
    ids = torch.zeros(1, 8, dtype=torch.long)
    assert graph_macs(load(model, example_inputs={"input_ids": ids, "use_cache": False})) == pytest.approx(
        counted_macs(model, ids), rel=0.01
    )
