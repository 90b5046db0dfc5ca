from __future__ import annotations

from typing import Any

import pytest

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.passes import canonicalize

X: Shape = (1, 16, 32)
MEAN: Shape = (1, 16, 1)


def moments(scale: bool = True, shift: bool = True, axis: int = 2, centred_by: str = "mean") -> Graph:
    """Layer norm by moments: x * m + (shift - mean * m)."""
    mean = MEAN if axis == 2 else (1, 1, 32)
    axes: dict[str, Any] = {"axes": (axis,), "keepdims": True}
    factor, moved = ("m", X) if scale else ("rsqrt", mean)
    nodes = [
        Node("x", "input", outputs=(X,)),
        Node("other", "sigmoid", ("x",), {}, (X,)),
        Node("mean", "reduce_mean", ("x",), axes, (mean,)),
        Node("d", "sub", ("x", centred_by), {}, (X,)),
        Node("square", "square", ("d",), {}, (X,)),
        Node("variance", "reduce_mean", ("square",), axes, (mean,)),
        Node("eps", "add", ("variance",), {"const": 1e-3}, (mean,)),
        Node("rsqrt", "rsqrt", ("eps",), {}, (mean,)),
        Node("xm", "mul", ("x", factor), {}, (X,)),
        Node("neg", "neg", ("mean",), {}, (mean,)),
        Node("nm", "mul", ("neg", factor), {}, (moved,)),
        Node("y", "add", ("xm", "b" if shift else "nm"), {}, (X,)),
        Node("z", "add", ("y", "other"), {}, (X,)),
    ]
    if scale:
        nodes.append(Node("m", "mul", ("rsqrt",), {"const_shape": (1, 1, 32)}, (X,)))
    if shift:
        nodes.append(Node("b", "add", ("nm",), {"const_shape": (32,)}, (X,)))
    return canonicalize(Graph(nodes))


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("shift", [True, False])
def test_layer_norm_by_moments(scale: bool, shift: bool) -> None:
    graph = moments(scale, shift)
    assert {node.name: node.op for node in graph} == {
        "x": "input",
        "other": "sigmoid",
        "y": "layernorm",
        "z": "add",
    }
    assert graph["y"].inputs == ("x",)
    assert graph["y"].attrs == {"axis": 2}


@pytest.mark.parametrize("change", [{"axis": 1}, {"centred_by": "other"}])
def test_near_misses_stay(change: dict[str, Any]) -> None:
    assert "layernorm" not in {node.op for node in moments(**change)}
