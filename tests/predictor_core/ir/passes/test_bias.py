from __future__ import annotations

import pytest

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.bias import fold_bias, join_affine
from tests.graph_factory import NodeList, all_ops

MAP = (1, 4, 4, 8)


def test_fold_bias() -> None:
    m = NodeList(MAP)
    conv = m.conv("x", groups=1)
    m("relu", m("add", m("bn", conv), const_shape=(8,)))
    graph = MutableGraph(m.nodes)
    assert fold_bias(graph) is True
    assert all_ops(graph.freeze()) == ["input", "conv", "relu"]
    assert graph.nodes[conv].attrs["bias"] is True
    assert fold_bias(graph) is False


@pytest.mark.parametrize(("op", "shape"), [("add", (4, 4, 8)), ("mul", (4, 1, 1)), ("sub", (2,))])
def test_constants_that_are_none_of_the_channels_stay(op: str, shape: tuple[int, ...]) -> None:
    m = NodeList(MAP)
    m(op, m.conv("x", groups=1, bias=False), const_shape=shape)
    assert fold_bias(MutableGraph(m.nodes)) is False


@pytest.mark.parametrize("op", ["sub", "div"])
def test_what_is_taken_from_a_constant_stays(op: str) -> None:
    m = NodeList(MAP)
    m(op, m.conv("x", groups=1, bias=False), const_shape=(8,), const_first=True)
    assert fold_bias(MutableGraph(m.nodes)) is False


@pytest.mark.parametrize(("op", "bias"), [("mul", False), ("add", True)])
def test_a_scalar_whose_number_is_not_known_is_folded(op: str, bias: bool) -> None:
    m = NodeList(MAP)
    conv = m.conv("x", groups=1, bias=False)
    m(op, conv, const_shape=(1, 1))
    graph = MutableGraph(m.nodes)
    assert fold_bias(graph) is True
    assert all_ops(graph.freeze()) == ["input", "conv"]
    assert graph.nodes[conv].attrs["bias"] is bias


def test_join_affine() -> None:
    m = NodeList(MAP)
    y = m("add", m("mul", "x", const_shape=(8,)), const_shape=(8,))
    graph = MutableGraph(m.nodes)
    assert join_affine(graph) is True
    assert graph.nodes[y].op == "bn"
    assert all_ops(graph.freeze()) == ["input", "bn"]


def test_a_product_alone_is_no_norm() -> None:
    m = NodeList(MAP)
    m("relu", m("mul", "x", const_shape=(8,)))
    assert join_affine(MutableGraph(m.nodes)) is False


@pytest.mark.parametrize(
    ("shape", "factor"),
    [((1, 8), {"const_shape": (8,)}), (MAP, {"const": 2.0}), (MAP, {"const_shape": (4, 1, 1)})],
)
def test_a_norm_scales_each_channel_of_an_image(shape: tuple[int, ...], factor: dict[str, object]) -> None:
    m = NodeList(shape)
    m("add", m("mul", "x", **factor), const_shape=(8,))
    assert join_affine(MutableGraph(m.nodes)) is False


def test_a_constant_of_more_dimensions_is_not_folded() -> None:
    m = NodeList((1, 8))
    m("add", m("fc", "x", shape=(1, 8), bias=False), shape=(1, 1, 1, 8), const_shape=(1, 1, 1, 8))
    assert fold_bias(MutableGraph(m.nodes)) is False
    m = NodeList((1, 1, 8))
    m("add", m("mul", "x", shape=(1, 1, 1, 8), const_shape=(1, 1, 1, 8)), const_shape=(8,))
    assert join_affine(MutableGraph(m.nodes)) is False
