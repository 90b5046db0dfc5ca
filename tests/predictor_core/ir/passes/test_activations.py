from __future__ import annotations

import pytest

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.activations import clips, gelu, hard_activations, smooth_activations
from tests.graph_factory import NodeList, all_ops

MAP = (1, 4, 4, 8)


@pytest.mark.parametrize(
    ("bounds", "op"),
    [
        ({"min": 0.0, "max": 6.0}, "relu6"),
        ({"min": 0.0, "max": None}, "relu"),
        ({"min": 0.0, "max": 3.4e38}, "relu"),
        ({"min": 0.0, "max": 1.0}, "clip"),
        ({"min": -1.0, "max": 6.0}, "clip"),
    ],
)
def test_clips(bounds: dict[str, float | None], op: str) -> None:
    m = NodeList(MAP)
    y = m("clip", "x", **bounds)
    graph = MutableGraph(m.nodes)
    assert clips(graph) is (op != "clip")
    assert graph.nodes[y].op == op


def test_hard_activations() -> None:
    m = NodeList(MAP)
    sigmoid = m("mul", m("relu6", m("add", "x", const=3.0)), const=1 / 6)
    swish = m("mul", "x", m("div", m("relu6", m("add", "x", const=3.0)), const=6.0))
    graph = MutableGraph(m.nodes)
    assert hard_activations(graph) is True
    assert (graph.nodes[sigmoid].op, graph.nodes[swish].op) == ("hsigmoid", "hswish")
    assert hard_activations(graph) is False


def test_hard_activations_need_their_constants() -> None:
    m = NodeList(MAP)
    m("mul", m("relu6", m("add", "x", const=2.0)), const=1 / 6)
    assert hard_activations(MutableGraph(m.nodes)) is False


def test_smooth_activations() -> None:
    m = NodeList(MAP)
    softplus = m("log", m("add", m("exp", "x"), const=1.0))
    mish = m("mul", softplus, m("tanh", m("log", m("add", m("exp", softplus), const=1.0))))
    swish = m("mul", mish, m("sigmoid", mish))
    graph = MutableGraph(m.nodes)
    assert smooth_activations(graph) is True
    assert [graph.nodes[name].op for name in (softplus, mish, swish)] == ["softplus", "mish", "swish"]


def test_a_gate_that_is_read_elsewhere_stays() -> None:
    m = NodeList(MAP)
    gate = m("sigmoid", "x")
    m("mul", "x", gate)
    graph = MutableGraph(m.nodes, outputs=(m.nodes[-1].name, gate))
    assert smooth_activations(graph) is False


def test_gelu() -> None:
    m = NodeList(MAP)
    shift = m("add", m("erf", m("mul", "x", const=0.70710678)), const=1.0)
    y = m("mul", m("mul", "x", const=0.5), shift)
    graph = MutableGraph(m.nodes)
    assert gelu(graph) is True
    assert all_ops(graph.freeze()) == ["input", "gelu"]
    assert graph.outputs == [y]
