from __future__ import annotations

import pytest

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes.convs import depthwise
from tests.graph_factory import NodeList


@pytest.mark.parametrize(
    ("channels", "groups", "op"), [(8, 8, "dwconv"), (8, 4, "conv"), (8, 1, "conv"), (1, 1, "conv")]
)
def test_depthwise(channels: int, groups: int, op: str) -> None:
    m = NodeList((1, 4, 4, channels))
    y = m.conv("x", groups=groups, bias=True)
    graph = MutableGraph(m.nodes)
    assert depthwise(graph) is (op == "dwconv")
    assert graph.nodes[y].op == op
    assert graph.nodes[y].attrs["bias"] is True
