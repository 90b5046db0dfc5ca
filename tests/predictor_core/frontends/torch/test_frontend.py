"""The torch front end: what it accepts, what it leaves alone, how it fails."""

from __future__ import annotations

import copy
import importlib.util
import io
import logging
import random
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.multiprocessing.reductions import StorageWeakRef  # noqa: E402

from predictor_core.errors import MissingDependencyError, ModelFormatError, PredictorError  # noqa: E402
from predictor_core.frontends import model_types  # noqa: E402
from predictor_core.frontends.torch import load  # noqa: E402
from predictor_core.ir.graph import Graph  # noqa: E402


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.op != "input"]


def small_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


class KeywordOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Any, *, y: Any, scale: float = 1.0) -> Any:
        return self.layer(x) + y * scale


def test_inputs_by_keyword_alone_take_shapes_in_order() -> None:
    by_name = load(KeywordOnly(), input_shape={"x": (1, 4), "y": (1, 2)})
    assert load(KeywordOnly(), input_shape=[(1, 4), (1, 2)]).nodes == by_name.nodes


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())

    def forward(self, x: Any) -> Any:
        x = x + self.body(x)
        return x.relu_()


def test_conv_and_batch_norm_are_one_node_with_the_path_of_the_conv() -> None:
    graph = load(small_net(), input_shape=(1, 3, 32, 32))
    assert ops(graph) == ["conv", "relu", "reduce_mean", "fc"]
    conv = graph["0"]
    assert conv.attrs["bias"] is True
    assert conv.attrs["kernel"] == (3, 3)
    assert conv.attrs["pads"] == (1, 1, 1, 1)
    assert conv.shape == (1, 32, 32, 8)
    assert conv.scope == "0"
    assert graph.outputs == ("6",)
    assert graph["6"].shape == (1, 10)


def test_dropout_is_listed_as_free_even_in_training_mode() -> None:
    graph = load(small_net().train(), input_shape=(1, 3, 32, 32))
    assert "3" in graph.free


def test_residual_add_and_in_place_relu() -> None:
    graph = load(nn.Sequential(nn.Conv2d(3, 4, 1), Residual()), input_shape=(1, 3, 8, 8))
    assert ops(graph) == ["conv", "conv", "relu", "add", "relu"]
    add = next(node for node in graph.nodes if node.op == "add")
    assert set(add.inputs) == {"0", "1.body.1"}
    assert add.scope == "1"
    assert graph.producer(graph.outputs[0]).inputs == (add.name,)


@pytest.mark.parametrize(
    "shape", [(1, 3, 32, 32), (3, 32, 32), [3, 32, 32], [(3, 32, 32)], torch.Size((1, 3, 32, 32))]
)
def test_input_shape_with_or_without_the_batch(shape: Any) -> None:
    assert load(small_net(), input_shape=shape).inputs[0].shape == (1, 32, 32, 3)


def test_a_batch_is_kept() -> None:
    assert load(small_net(), input_shape=(4, 3, 32, 32))["6"].shape == (4, 10)


def test_a_sequence_shape_of_rank_three_is_taken_as_given() -> None:
    assert load(nn.Linear(16, 4), input_shape=(1, 5, 16)).inputs[0].shape == (1, 5, 16)
    assert load(nn.Linear(16, 4), input_shape=(16,)).inputs[0].shape == (1, 16)


def test_one_dimensional_convs_find_their_batch() -> None:
    graph = load(nn.Conv1d(4, 6, 3, stride=2), input_shape=(4, 21))
    conv = graph.nodes[-1]
    assert (conv.op, conv.shape, conv.attrs["kernel"], conv.attrs["strides"]) == (
        "conv",
        (1, 10, 1, 6),
        (3, 1),
        (2, 1),
    )


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 8), nn.Linear(6, 8)

    def forward(self, a: Any, b: Any, scale: float = 2.0) -> Any:
        return {"sum": self.left(a) + self.right(b) * scale, "pair": (a, None)}


def test_several_inputs() -> None:
    graph = load(TwoInputs(), input_shape=[(1, 4), (1, 6)])
    assert load(TwoInputs(), input_shape={"b": (1, 6), "a": (1, 4)})["add"].shape == (1, 8)
    assert [node.shape for node in graph.inputs] == [(1, 4), (1, 6)]
    assert ops(graph) == ["fc", "fc", "mul", "add"]
    assert graph.producer(graph.outputs[0]).op == "add"
    assert graph.outputs[1] == graph.inputs[0].name


def test_example_inputs() -> None:
    a, b = torch.zeros(2, 4), torch.zeros(2, 6)
    for example in ((a, b, 3.0), [a, b], {"a": a, "b": b, "scale": 3.0}):
        assert load(TwoInputs(), example_inputs=example).producer("add").shape == (2, 8)
    assert load(nn.Linear(4, 2), example_inputs=a).inputs[0].shape == (2, 4)
    with pytest.raises(PredictorError, match="not both"):
        load(nn.Linear(4, 2), example_inputs=a, input_shape=(2, 4))


@pytest.mark.parametrize(
    "shape", [(), (1, 3, -5, 224), (1, 3, 0, 8), "224", 224, (1.5, 3), [(1, 3), 4], (True, 3)]
)
def test_bad_shapes_are_refused(shape: Any) -> None:
    with pytest.raises(PredictorError, match="expected positive integers"):
        load(small_net(), input_shape=shape)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ModelFormatError, match=r"expected a torch\.nn\.Module, got int"):
        load(18)
    with pytest.raises(ModelFormatError, match=r"resnet18: it can't be read: No such file"):
        load("resnet18")
    with pytest.raises(PredictorError, match="via='fx'"):
        load(small_net(), via="fx")
    with pytest.raises(ModelFormatError, match="run it once"):
        load(nn.LazyLinear(3), input_shape=(1, 3))


def test_a_shape_that_does_not_fit_names_the_module_and_the_shape() -> None:
    with pytest.raises(ModelFormatError, match=r"\[1, 5, 32, 32\].*module '0'"):
        load(small_net(), input_shape=(1, 5, 32, 32), via="direct")


def test_nni_conversion_needs_nni() -> None:
    if importlib.util.find_spec("nni") is None or "nni-ir" not in model_types():
        with pytest.raises(MissingDependencyError, match=r"apply_nni=True needs the package 'nni'.*\[nni\]"):
            load(small_net(), apply_nni=True)
    else:
        assert ops(load(small_net(), input_shape=(1, 3, 32, 32), apply_nni=True))[-1] == "fc"


def test_the_callers_model_is_untouched() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(small_net(), nn.Unflatten(1, (10, 1, 1)), nn.Upsample(scale_factor=8)).train()
    model[0][1].eval()
    model[0][0].weight.grad = torch.ones_like(model[0][0].weight)
    calls: list[Any] = []
    model.register_forward_hook(lambda *args: calls.append(args))
    model[0].register_forward_pre_hook(lambda *args: calls.append(args))
    before = copy.deepcopy(model.state_dict())
    identities = [id(value) for value in (*model.parameters(), *model.buffers())]
    flags = [module.training for module in model.modules()]
    attributes = [set(module.__dict__) for module in model.modules()]
    state = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002

    load(model, input_shape=(1, 3, 16, 16))
    pytest.importorskip("onnx")
    load(model, input_shape=(1, 3, 16, 16), via="onnx")

    assert not calls
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert identities == [id(value) for value in (*model.parameters(), *model.buffers())]
    assert flags == [module.training for module in model.modules()]
    assert attributes == [set(module.__dict__) for module in model.modules()]
    assert bool((model[0][0].weight.grad == 1).all())
    assert all(p.requires_grad for p in model.parameters())
    assert torch.equal(state[0], torch.get_rng_state())
    assert state[1] == random.getstate()
    assert state[2] == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.is_grad_enabled()


class Stateful(nn.Module):
    """Counts its calls, collects what it has seen, draws random numbers, and updates a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.seen: list[Any] = []
        self.register_buffer("average", torch.ones(4))
        self.register_buffer("ready", torch.tensor(True))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.seen.append(x)
        self.average.mul_(0.9).add_(x.mean(0), alpha=0.1)
        noise = torch.randn(4) * random.random() * np.random.rand()  # noqa: NPY002
        return x * self.average + noise if self.ready else x


def test_state_that_forward_changes_stays_the_callers() -> None:
    model = Stateful()
    graph = load(model, input_shape=(2, 4))
    assert "reduce_mean" in ops(graph)
    assert model.calls == 0
    assert not model.seen
    assert bool((model.average == 1).all())


def test_models_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = small_net()
    assert load(model, input_shape=(1, 3, 32, 32)) == load(small_net(), input_shape=(1, 3, 32, 32))


def test_no_weight_is_allocated_or_computed() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(10**6, 10**6), nn.ReLU(), nn.Linear(10**6, 10))
    graph = load(model, input_shape=(1, 10**6))
    assert [node.shape for node in graph.nodes] == [(1, 10**6), (1, 10**6), (1, 10**6), (1, 10)]


def test_wrappers_are_opened() -> None:
    plain = load(small_net(), input_shape=(1, 3, 32, 32))
    assert load(nn.DataParallel(small_net()), input_shape=(1, 3, 32, 32)) == plain
    assert load(torch.compile(small_net()), input_shape=(1, 3, 32, 32)) == plain


def test_half_precision_weights() -> None:
    assert ops(load(small_net().half(), input_shape=(1, 3, 32, 32))) == ["conv", "relu", "reduce_mean", "fc"]


def test_tied_and_repeated_modules_keep_their_weights_tied_and_get_names_of_their_own() -> None:
    layer = nn.Linear(4, 4)
    graph = load(nn.Sequential(layer, nn.ReLU(), layer), input_shape=(1, 4))
    assert ops(graph) == ["fc", "relu", "fc"]
    assert len({node.name for node in graph.nodes}) == 4


def test_modules_in_plain_lists_and_patched_forwards() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Conv2d(3, 4, 1).train(), nn.BatchNorm2d(4).train()]

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

        def other(self, x: Any) -> Any:
            return self.forward_original(x).sigmoid()

    model = Hidden()
    assert ops(load(model, input_shape=(1, 3, 8, 8))) == ["conv"]
    assert int(model.layers[1].num_batches_tracked) == 0
    model.forward_original = model.forward
    model.forward = model.other
    assert ops(load(model, input_shape=(1, 3, 8, 8))) == ["conv", "sigmoid"]


def test_weight_norm_and_parametrized_weights_are_constants() -> None:
    old = nn.utils.weight_norm(nn.Conv2d(3, 4, 3))
    new = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3))
    for model in (old, new):
        graph = load(model, input_shape=(1, 3, 8, 8))
        assert ops(graph) == ["conv"]


def test_threads_do_not_disturb_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = small_net()
    expected = load(model, input_shape=(1, 3, 32, 32))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: load(model, input_shape=(1, 3, 32, 32)), range(16)))
    assert all(graph == expected for graph in found)


_FREED: list[bool] = []


class Watched(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        hidden = self.layer(x)
        watched = StorageWeakRef(hidden.untyped_storage())
        squared = hidden * hidden
        del hidden
        _FREED.append(watched.expired())
        return squared.relu()


def test_activations_are_not_kept_while_a_module_is_exported() -> None:
    pytest.importorskip("onnx")
    _FREED.clear()
    assert ops(load(Watched(), input_shape=(1, 4), via="onnx")) == ["fc", "mul", "relu"]
    assert _FREED[-1]


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.layer(x) if x.sum() > 1e6 else self.layer(x).relu()


def test_a_branch_on_values_falls_back_to_onnx_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("onnx")
    with caplog.at_level(logging.WARNING):
        graph = load(Branching(), input_shape=(1, 4))
    assert ops(graph) == ["fc", "relu"]
    assert "converting via ONNX" in caplog.text
    with pytest.raises(ModelFormatError, match="can't trace Branching"):
        load(Branching(), input_shape=(1, 4), via="direct")


def test_scripted_modules_go_via_onnx() -> None:
    pytest.importorskip("onnx")
    scripted = torch.jit.script(small_net().train())
    assert ops(load(scripted, input_shape=(1, 3, 32, 32))) == ["conv", "relu", "reduce_mean", "fc"]
    assert scripted.training


def test_inputs_that_the_model_itself_refuses_are_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelFormatError, match=r"can't trace Sequential.*\[1, 7, 32, 32\].*module '0'"):
        load(small_net(), input_shape=(7, 32, 32))
    assert not caplog.records


def test_modules_that_torch_has_quantised_are_named() -> None:
    quantised = nn.Sequential(nn.ReLU(), torch.ao.nn.quantized.dynamic.Linear(4, 2))
    with pytest.raises(ModelFormatError, match=r"module '1' is quantised.*give the float model"):
        load(quantised, input_shape=(1, 4))


class Unexportable(nn.Module):
    def forward(self, x: Any) -> Any:
        raise OSError("needs a meta camera") if x.sum() > -1 else x


def test_when_no_way_works_the_reasons_are_told() -> None:
    pytest.importorskip("onnx")
    with pytest.raises(ModelFormatError, match=r"(?s)can't convert Unexportable.*directly.*via ONNX.*camera"):
        load(Unexportable(), input_shape=(1, 4))
    with pytest.raises(ModelFormatError, match="check example_inputs"):
        load(Unexportable(), example_inputs=torch.zeros(1, 4))


class Unknown:
    pass


class ReturnsUnknown(nn.Module):
    def forward(self, x: Any) -> Any:
        return Unknown()


def test_the_exporters_first_failure_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(ModelFormatError, match=r"dynamo exporter: .*Unknown") as caught:
        load(ReturnsUnknown(), input_shape=(1, 4))
    assert "\\x1b" not in str(caught.value)
    assert all("\n" not in record.getMessage() for record in caplog.records)


class Refusing(nn.Module):
    def forward(self, x: Any) -> Any:
        count = x.sum().int().item()
        if count == 0:
            raise ValueError("There is nothing in it. Give it something, as the processor does.")
        return x[:count]


class Asking(nn.Module):
    def forward(self, x: Any) -> Any:
        return x if (x == None) else x.relu()  # noqa: E711 - as people write it


def test_a_tensor_is_not_none() -> None:
    assert ops(load(Asking(), input_shape=(1, 8), via="direct")) == ["relu"]


class Choosing(nn.Module):
    def forward(self, x: Any) -> Any:
        chosen = x.topk(9, dim=-1).values
        return chosen if x.sum() > 0 else x


def test_no_log_of_torch_shows_a_traceback() -> None:
    pytest.importorskip("onnxscript")
    handler = logging.StreamHandler(io.StringIO())
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    logger.addHandler(handler)
    try:
        with pytest.raises(ModelFormatError, match="k not in range"):
            load(Choosing(), input_shape=(4, 4), via="onnx")
    finally:
        logger.removeHandler(handler)
    assert not handler.stream.getvalue()


def test_exporters_that_fail_tell_a_sentence_each_and_print_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(ModelFormatError, match=r"ValueError: There is nothing in it; dynamo exporter"):
        load(Refusing(), input_shape=(4, 4))
    assert "def forward" not in "".join(capfd.readouterr())


class Masked(nn.Module):
    def forward(self, x: Any) -> Any:
        return x[x > 0.5].relu()


class Repeated(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.repeat_interleave(x[:, 0].long(), dim=0)


class Resized(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.ones(2))

    def forward(self, x: Any) -> Any:
        size = self.size.long().unbind()
        return x + F.interpolate(torch.ones(1, 1, 4, 4, device=x.device), size=size)


class Cut(nn.Module):
    def forward(self, x: Any) -> Any:
        return x[: x.sum().long()]


@pytest.mark.parametrize(
    "model", [Masked(), Repeated(), Resized(), Cut()], ids=lambda one: type(one).__name__
)
def test_shapes_that_only_values_tell_are_told_with_their_place(model: nn.Module) -> None:
    told = r"depends on (values|the input), in line \d+ of test_frontend\.py; check input_shape"
    with pytest.raises(ModelFormatError, match=told):
        load(model, input_shape=(4, 4), via="direct")


class Filled(nn.Module):
    """Sizes and a choice by a mask that the model makes itself."""

    def forward(self, x: Any) -> Any:
        mask = torch.ones(1, 1, *x.shape[2:], device=x.device)
        mask = F.interpolate(mask, size=(4, 4)).long()
        height, width = mask[:, 0].sum(dim=1)[0, 0], mask[:, 0].sum(dim=2)[0, 0]
        places = mask.flatten().nonzero()[:, 0]
        chosen = places[torch.multinomial(torch.ones(len(places)), 8)]
        return F.interpolate(x, size=(height, width)).flatten(2)[:, :, chosen]


def test_values_that_the_model_fills_in_are_known() -> None:
    graph = load(Filled(), input_shape=(1, 3, 16, 16), via="direct")
    assert ops(graph) == ["resize", "reshape", "gather"]
    assert graph.nodes[-1].outputs == ((1, 8, 3),)
    assert not graph.warnings


class Distinct(nn.Module):
    def forward(self, x: Any, ids: Any) -> Any:
        return x[ids.unique()].relu()


def test_functions_that_choose_among_others_are_asked_about_once() -> None:
    given = (torch.zeros(8, 4), torch.tensor([1, 2, 1, 3]))
    graph = load(Distinct(), example_inputs=given, via="direct")
    assert ops(graph) == ["unique", "gather", "relu"]
    assert graph.nodes[-1].outputs == ((3, 4),)


class Sampled(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.distributions.Normal(x, x.exp()).log_prob(x.relu())


def test_checks_of_distributions_are_passed() -> None:
    assert "log" in ops(load(Sampled(), input_shape=(1, 4), via="direct"))


class WithoutForm(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.linalg.householder_product(x, x[0]) if x.sum() > -1 else x


def test_the_exporters_graph_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(ModelFormatError, match="torchscript exporter: UnsupportedOperatorError"):
        load(WithoutForm(), input_shape=(4, 4))
    assert "graph" not in "".join(capfd.readouterr())
