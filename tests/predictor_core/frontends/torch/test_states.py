"""What a call of ``forward`` leaves for the next one is an input; what it writes to a view is in its base."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from benchmarks.macs import counted_macs, graph_macs  # noqa: E402
from predictor_core.frontends.torch import load  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

#: Multiply-accumulates of the two layers of `Cell`, for one row.
INPUT, HIDDEN = 8 * 16, 16 * 16

Step = Callable[["Cell", Any], Any]


class Cell(nn.Module):
    """Two layers, and places that keep a tensor of the size of the hidden state."""

    def __init__(self, step: Step | None = None) -> None:
        super().__init__()
        self.w, self.u = nn.Linear(8, 16), nn.Linear(16, 16)
        self.register_buffer("h", torch.zeros(1, 16))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.plain = torch.zeros(1, 16)
        self.queue = deque([torch.zeros(1, 16)] * 2, 2)
        self.step = step

    def forward(self, x: Any) -> Any:
        return self.step(self, x)  # type: ignore[misc]


class Copying(Cell):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.w(x) + self.u(self.h))
        self.h.copy_(h)
        return h


class Binding(Cell):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.w(x) + self.u(self.h))
        self.h = h
        return h


class Adding(Cell):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.h += self.w(x)
        return self.u(self.h)


class Cutting(Cell):
    def forward(self, x: Any) -> Any:
        y = self.u(self.h) + self.w(x)
        self.h[:, :8].copy_(x)
        return y


class Unreturned(Cell):
    """The new state is made of what is not returned."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.w(x)
        z = y + self.h
        self.h.copy_(self.u(y))
        return z


def _inputs(graph: Any) -> int:
    return sum(node.op == "input" for node in graph)


@pytest.mark.parametrize("cell", [Copying, Binding, Adding, Cutting, Unreturned])
def test_a_state_is_an_input(cell: type[Cell], tmp_path: Path) -> None:
    module = cell().eval()
    with torch.no_grad():
        module.h += 1
    program = torch.export.export(module, (torch.zeros(1, 8),))
    torch.export.save(program, tmp_path / "cell.pt2")
    for model in (module, program, tmp_path / "cell.pt2"):
        graph = load(model, input_shape=(1, 8))
        assert graph_macs(graph) == INPUT + HIDDEN
        assert _inputs(graph) == 2
    assert torch.equal(module.h, torch.ones(1, 16))


@pytest.mark.parametrize("cell", [Copying, Binding, Adding, Unreturned])
def test_the_state_of_a_script_is_an_input_and_stays_as_it_was(cell: type[Cell]) -> None:
    module = cell().eval()
    del module.queue, module.step
    script = torch.jit.script(module)
    with torch.no_grad():
        script.h += 1
    kept = script.h
    graph = load(script, input_shape=(1, 8))
    assert graph_macs(graph) == INPUT + HIDDEN
    assert _inputs(graph) == 2
    assert script.h is kept
    assert torch.equal(kept, torch.ones(1, 16))


@pytest.mark.parametrize("cell", [Copying, Binding, Adding, Unreturned])
def test_a_state_is_an_input_by_way_of_onnx(cell: type[Cell]) -> None:
    pytest.importorskip("onnx")
    if cell is Unreturned:
        # The older exporter can't return what is written in place.
        pytest.importorskip("onnxscript")
    graph = load(cell(), input_shape=(1, 8), via="onnx")
    assert graph_macs(graph) == INPUT + HIDDEN
    assert _inputs(graph) == 2


def test_a_state_that_no_exporter_returns_is_left_out_and_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    # As in environments without onnxscript, which the other exporter needs.
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx_ir", None)
    graph = load(Unreturned(), input_shape=(1, 8), via="onnx")
    assert graph_macs(graph) == INPUT
    assert "what is written to h and not returned is left out" in caplog.text


def _data(cell: Any, x: Any) -> Any:
    y = cell.u(cell.h) + cell.w(x)
    cell.h.data.copy_(y)
    return y


def _set_data(cell: Any, x: Any) -> Any:
    y = cell.u(cell.h) + cell.w(x)
    cell.h.data = y
    return y


def _plain(cell: Any, x: Any) -> Any:
    cell.plain = cell.u(cell.plain) + cell.w(x)
    return cell.plain


def _queue(cell: Any, x: Any) -> Any:
    y = cell.u(cell.queue[0]) + cell.w(x)
    cell.queue.append(y)
    return y


def _not_yet(cell: Any, x: Any) -> Any:
    """Nothing that is returned depends on this call's input."""
    y = cell.u(cell.h)
    cell.h.lerp_(cell.w(x), 0.1)
    return y


@pytest.mark.parametrize("step", [_data, _set_data, _plain, _queue, _not_yet])
def test_whatever_keeps_a_state(step: Step) -> None:
    graph = load(Cell(step), input_shape=(1, 8), via="direct")
    assert graph_macs(graph) == INPUT + HIDDEN
    assert _inputs(graph) == 2


def _counts(cell: Any, x: Any) -> Any:
    cell.calls += 1
    return cell.u(cell.w(x) if cell.calls > 0 else x) + cell.u(cell.h)


def _scratch(cell: Any, x: Any) -> Any:
    cell.h.copy_(cell.w(x))
    return cell.u(cell.h)


def _looked_at(cell: Any, x: Any) -> Any:
    cell.plain = cell.w(x)
    return cell.u(cell.plain)


@pytest.mark.parametrize("step", [_counts, _scratch, _looked_at])
def test_counters_and_what_is_written_before_it_is_read_are_no_state(step: Step) -> None:
    graph = load(Cell(step), input_shape=(1, 8), via="direct")
    assert graph_macs(graph) == INPUT + HIDDEN
    assert _inputs(graph) == 1


def test_statistics_are_constants() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)).train()
    assert _inputs(load(module, input_shape=(1, 3, 8, 8))) == 1


class Attention(nn.Module):
    """One token that attends to a cache of 32."""

    def __init__(self, cache: Any = None) -> None:
        super().__init__()
        self.cache = cache
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: Any, cache: Any = None) -> Any:
        cache = cache or self.cache
        q, k, v = self.qkv(x).chunk(3, -1)
        cache.seen += 1
        cache.keys.index_copy_(1, cache.place, k)
        cache.values[:, 3:4] = v
        return (q @ cache.keys.mT).softmax(-1) @ cache.values


def _cache() -> Any:
    return SimpleNamespace(
        keys=torch.zeros(1, 32, 16), values=torch.zeros(1, 32, 16), place=torch.tensor([3]), seen=0
    )


def test_a_cache_is_an_input_whoever_holds_it_and_is_not_written_to() -> None:
    macs = 16 * 48 + 2 * 32 * 16
    x, cache = torch.ones(1, 1, 16), _cache()
    for module, args in ((Attention(cache), (x,)), (Attention(), (x, cache))):
        graph = load(module, example_inputs=args, via="direct")
        assert graph_macs(graph) == macs
        assert _inputs(graph) == 3
    assert cache.seen == 0
    assert not cache.keys.any()


class Caching(Cell):
    """Returns an object that holds its new state, as models of transformers return their caches."""

    def forward(self, x: Any) -> Any:
        made = SimpleNamespace(layers=[SimpleNamespace(state=self.u(self.w(x)))], config={"sizes": (8, 16)})
        made.layers[0].owner = made
        return {"y": x.relu(), "cache": made, "last": torch.tanh(x)}


def test_what_a_returned_object_holds_is_an_output() -> None:
    graph = load(Caching(), input_shape=(1, 8), via="direct")
    assert graph_macs(graph) == INPUT + HIDDEN
    assert [graph.shape(one) for one in graph.outputs] == [(1, 8), (1, 16), (1, 8)]


class Projecting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w, self.u = nn.Linear(8, 16), nn.Linear(16, 16)

    def forward(self, x: Any, encoded: Any) -> Any:
        return self.w(x) + self.u(encoded.hidden)


def test_the_tensors_of_an_object_are_inputs() -> None:
    given = (torch.zeros(1, 8), SimpleNamespace(hidden=torch.zeros(1, 16)))
    graph = load(Projecting(), example_inputs=given, via="direct")
    assert graph_macs(graph) == INPUT + HIDDEN
    assert _inputs(graph) == 2


class Halves(nn.Module):
    def __init__(self, join: Callable[[Any, Any], Any] | None) -> None:
        super().__init__()
        self.a, self.b, self.join = nn.Linear(8, 8), nn.Linear(8, 8), join

    def forward(self, x: Any) -> Any:
        return self.join(self, x)  # type: ignore[misc]


def _slices(halves: Any, x: Any) -> Any:
    out = torch.zeros(x.shape[0], 16)
    out[:, :8].copy_(halves.a(x))
    out.narrow(1, 8, 8).add_(halves.b(x))
    return out


def _augmented(halves: Any, x: Any) -> Any:
    out = torch.cat([x, x], 1)
    out[:, :8] += halves.a(x)
    out[:, 8:] *= halves.b(x)
    return out


def _indexed(halves: Any, x: Any) -> Any:
    out = torch.zeros(x.shape[0], 16)
    out[:, :8] = halves.a(x)
    out[:, 8:] = halves.b(x)
    return out


def _views(halves: Any, x: Any) -> Any:
    out = x.clone()
    out.view(-1)[:4].add_(halves.a(x).view(-1)[:4])
    out.t().mul_(halves.b(x).t())
    return out


def _rows(halves: Any, x: Any) -> Any:
    out = torch.stack([x, x])
    for row, layer in zip(out, (halves.a, halves.b)):
        row.copy_(layer(x))
    return out


def _given(halves: Any, x: Any) -> Any:
    out = x.new_empty(x.shape[0], 16)
    torch.sigmoid(halves.a(x), out=out[:, :8])
    torch.sigmoid(halves.b(x), out=out[:, 8:])
    return out


@pytest.mark.parametrize("join", [_slices, _augmented, _indexed, _rows, _views, _given])
def test_what_is_written_to_a_view_is_in_its_base(join: Any, tmp_path: Path) -> None:
    module, x = Halves(join).eval(), torch.zeros(2, 8)
    graph = load(module, example_inputs=x, via="direct")
    assert graph_macs(graph) == counted_macs(module, x)
    if join in (_given, _rows):
        # torch does not export them.
        return
    assert sum(node.op == "ScatterND" for node in graph) == (1 if join is _views else 2)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "views.pt2")
    ops = sorted(node.op for node in graph)
    assert sorted(node.op for node in load(tmp_path / "views.pt2")) == ops


def test_a_copy_of_a_view_is_no_view() -> None:
    def step(halves: Any, x: Any) -> Any:
        turned = x.transpose(0, 1).reshape(4, 4)
        turned += 1
        x[[0]].add_(halves.b(x)[:1])
        return halves.a(x)

    graph = load(Halves(step), input_shape=(2, 8), via="direct")
    assert [node.op for node in graph] == ["input", "fc"]
