from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.dilation import dilated_convs
from tests.graph_factory import NodeList

MAP = (1, 8, 8, 16)
BATCHED = (4, 6, 6, 16)
INSIDE = (4, 4, 4, 16)
WINDOW = {"kernel": (3, 3), "strides": (1, 1), "pads": (0, 0, 0, 0), "groups": 1}


def written(crops: tuple[int, ...] = (0, 0, 0, 0), **conv: object) -> tuple[MutableGraph, str]:
    m = NodeList(MAP)
    first = m("SpaceToBatchND", "x", shape=BATCHED, block=(2, 2), pads=(2, 2, 2, 2))
    middle = m("conv", first, shape=INSIDE, **{**WINDOW, **conv})
    last = m("BatchToSpaceND", m("relu", middle), shape=MAP, block=(2, 2), crops=crops)
    return MutableGraph(m.nodes), last


def test_dilated_convs() -> None:
    graph, last = written()
    assert dilated_convs(graph) is True
    (conv,) = graph.of("conv")
    assert conv.attrs["dilations"] == (2, 2)
    assert conv.attrs["pads"] == (2, 2, 2, 2)
    assert conv.shape == MAP
    assert graph.nodes[last].op == "relu"
    assert dilated_convs(graph) is False


def test_a_conv_with_a_stride_stays() -> None:
    graph, _ = written(strides=(2, 2))
    assert dilated_convs(graph) is False


def test_more_cropped_than_padded_stays() -> None:
    graph, _ = written(crops=(3, 0, 0, 0))
    assert dilated_convs(graph) is False
