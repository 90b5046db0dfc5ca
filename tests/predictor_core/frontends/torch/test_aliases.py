"""What is written to a tensor is in its views, and in theirs, whichever was made first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from benchmarks.macs import counted_macs, graph_macs  # noqa: E402
from predictor_core.frontends.torch import load  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


class Layers(nn.Module):
    def __init__(self, step: Any) -> None:
        super().__init__()
        self.a, self.b, self.step = nn.Linear(8, 8), nn.Linear(8, 8), step
        self.register_buffer("table", torch.zeros(4, 8))

    def forward(self, x: Any) -> Any:
        return self.step(self, x)


def _added(m: Any, x: Any) -> Any:
    y = x * 2
    view = y[:, :4]
    y.add_(m.a(x))
    return view


def _copied(m: Any, x: Any) -> Any:
    y = torch.zeros(4, 8)
    view = y.t()
    y.copy_(m.a(x))
    return view * 2


def _filled(m: Any, x: Any) -> Any:
    y = x * 2
    view = y.view(2, 16)
    y[1:3] = m.a(x)[1:3]
    return view + 1


def _put(m: Any, x: Any) -> Any:
    y = x * 2
    view = y[0]
    y.index_put_((torch.tensor([0, 1]),), m.a(x)[:2])
    return view


def _masked(m: Any, x: Any) -> Any:
    y = x * 2
    view = y.unsqueeze(0)
    y.masked_fill_(m.a(x) > 0, 0.0)
    return view


def _view_of_view(m: Any, x: Any) -> Any:
    y = x * 2
    inner = y.view(2, 2, 8)[0].transpose(0, 1)[1:3]
    y.mul_(m.a(x))
    return inner


def _by_a_sibling(m: Any, x: Any) -> Any:
    y = x * 2
    rows, columns = y[:2], y[:, :4]
    rows.add_(m.a(x)[:2])
    return columns


def _by_a_view_of_a_sibling(m: Any, x: Any) -> Any:
    y = x * 2
    whole, part = y.flatten(), y[1].view(2, 4)
    part[0].add_(m.a(x)[0, :4])
    return whole


def _reshaped_view(m: Any, x: Any) -> Any:
    y = x * 2
    y[1:].reshape(-1).add_(m.a(x)[1:].reshape(-1))
    return y


def _expanded(m: Any, x: Any) -> Any:
    y = x[:1] * 2
    view = y.expand(4, 8)
    y.add_(m.a(x)[:1])
    return view


def _given(m: Any, x: Any) -> Any:
    y = x.new_empty(8, 8)
    view = y[4:]
    torch.cat([x, m.a(x)], out=y)
    return view


def _given_pair(m: Any, x: Any) -> Any:
    values, places = x.new_empty(4), torch.empty(4, dtype=torch.long, device=x.device)
    torch.max(m.a(x), 1, out=(values, places))
    return values


def _given_an_empty_one(m: Any, x: Any) -> Any:
    out = torch.empty(0)
    torch.cat([x, m.a(x)], out=out)
    return out


def _activated_in_place(m: Any, x: Any) -> Any:
    y = x * 2
    view = y[:2]
    y += m.a(x)
    F.leaky_relu(y, 0.1, True)
    return view


def _rows(m: Any, x: Any) -> Any:
    y = torch.zeros(4, 8)
    rows = list(y)
    for row, one in zip(rows, m.a(x)):
        row += one
    return torch.stack(rows[1:3])


def _loop(m: Any, x: Any) -> Any:
    y = torch.zeros(4, 8)
    last = y[3]
    for place in range(4):
        y[place] = m.a(x[place])
    return last


def _buffer(m: Any, x: Any) -> Any:
    view = m.table[:2]
    m.table.copy_(m.a(x))
    return view + 0


def _data(m: Any, x: Any) -> Any:
    y = x * 2
    view = y[:2]
    view.data.add_(m.a(x)[:2])
    return y


def _twice(m: Any, x: Any) -> Any:
    y = x * 2
    view = y[:, :4]
    y.add_(m.a(x))
    view.mul_(2)
    y.add_(m.b(x))
    return view


def _squeezed_in_place(m: Any, x: Any) -> Any:
    y = x * 2
    view = y[:1]
    view.squeeze_(0)
    y.add_(m.a(x))
    return view + 1


def _dropped(m: Any, x: Any) -> Any:
    y = x * 2
    F.dropout(y, 0.5, m.training).add_(m.a(x))
    return y


CASES = [
    *(_added, _copied, _filled, _put, _masked, _view_of_view, _by_a_sibling, _by_a_view_of_a_sibling),
    *(_reshaped_view, _expanded, _given, _given_pair, _given_an_empty_one, _activated_in_place, _rows, _loop),
    *(_buffer, _data, _twice, _squeezed_in_place, _dropped),
]


@pytest.mark.parametrize("step", CASES)
def test_nothing_that_is_written_is_lost(step: Any, tmp_path: Path) -> None:
    module, x = Layers(step).eval(), torch.rand(4, 8)
    graph = load(module, example_inputs=x, via="direct")
    assert graph_macs(graph) == counted_macs(module, x)
    assert graph.warnings == ()
    outputs = [next(node for node in graph if name in node.tensors) for name in graph.outputs]
    with torch.no_grad():
        assert outputs[0].outputs[0] == tuple(module(x).shape)
    if step in (_given, _given_pair, _given_an_empty_one, _rows, _data, _twice):
        # torch does not export them, or not as they run.
        return
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "written.pt2")
    assert graph_macs(load(tmp_path / "written.pt2")) == graph_macs(graph)


def _scaled(m: Any, x: Any) -> Any:
    q, k = m.a(x).chunk(2, 1)
    q.mul_(2.0)
    return q + k


def _scaled_rows(m: Any, x: Any) -> Any:
    first, *rest = m.a(x).unbind()
    first *= 2.0
    return torch.stack([first, *rest])


def _copy_of_a_view(m: Any, x: Any) -> Any:
    y = x * 2
    turned = y.transpose(0, 1).contiguous()
    turned += m.b(x).t()
    return m.a(y)


def _copy_of_a_reshaped_view(m: Any, x: Any) -> Any:
    y = x * 2
    turned = y.transpose(0, 1).reshape(4, 8)
    turned += m.b(x)
    return m.a(y)


@pytest.mark.parametrize(
    ("step", "ops"),
    [
        (_scaled, ["input", "fc", "split", "mul", "add"]),
        (_scaled_rows, ["input", "fc", "split", "mul", *["reshape"] * 4, "concat"]),
        (_copy_of_a_view, ["input", "mul", "fc"]),
        (_copy_of_a_reshaped_view, ["input", "mul", "fc"]),
    ],
)
def test_what_is_written_elsewhere_repeats_nothing(step: Any, ops: list[str]) -> None:
    graph = load(Layers(step), input_shape=(4, 8), via="direct")
    assert sorted(node.op for node in graph if node.op != "reshape") == sorted(
        op for op in ops if op != "reshape"
    )


def test_a_value_written_to_another_place_is_an_op() -> None:
    def step(_: Any, x: Any) -> Any:
        y = x * 2
        view = y[:2]
        view += 1
        y[2:] = view
        return y

    graph = load(Layers(step), input_shape=(4, 8), via="direct")
    assert sum(node.op == "ScatterND" for node in graph) == 2
