from __future__ import annotations

from typing import Any

import pytest

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.passes import canonicalize
from predictor_core.ir.passes.norms import channel_first_group_norms

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


def by_litert(axes: tuple[int, ...] = (0, 2), batch: int = 1) -> Graph:
    """Layer norm as LiteRT's converter writes it: means without their dimensions, and reshapes to them."""
    x, mean = (batch, 16, 32), (16,) if axes == (0, 2) else (batch, 16)
    kept = (*([1] if axes == (0, 2) else [batch]), 16, 1)
    reduced: dict[str, Any] = {"axes": axes, "keepdims": False}
    nodes = [
        Node("x", "input", outputs=(x,)),
        Node("mean", "reduce_mean", ("x",), reduced, (mean,)),
        Node("kept", "reshape", ("mean",), {}, (kept,)),
        Node("d", "sub", ("x", "kept"), {}, (x,)),
        Node("square", "square", ("d",), {}, (x,)),
        Node("variance", "reduce_mean", ("square",), reduced, (mean,)),
        Node("eps", "add", ("variance",), {"const": 1e-6}, (mean,)),
        Node("rsqrt", "rsqrt", ("eps",), {}, (mean,)),
        Node("rm", "mul", ("rsqrt", "mean"), {}, (mean,)),
        Node("neg", "sub", ("rm",), {"const": 0.0, "const_first": True}, (mean,)),
        Node("kept_rsqrt", "reshape", ("rsqrt",), {}, (kept,)),
        Node("xr", "mul", ("x", "kept_rsqrt"), {}, (x,)),
        Node("kept_shift", "reshape", ("neg",), {}, (kept,)),
        Node("y", "add", ("xr", "kept_shift"), {}, (x,)),
        Node("scaled", "mul", ("y",), {"const_shape": (32,)}, (x,)),
        Node("shifted", "add", ("scaled",), {"const_shape": (32,)}, (x,)),
    ]
    return canonicalize(Graph(nodes))


@pytest.mark.parametrize(("axes", "batch"), [((0, 2), 1), ((2,), 1), ((2,), 3)])
def test_layer_norm_by_reshaped_moments(axes: tuple[int, ...], batch: int) -> None:
    graph = by_litert(axes, batch)
    assert [node.op for node in graph] == ["input", "layernorm"]
    assert graph["shifted"].attrs == {"axis": 2}


def test_a_mean_over_a_batch_is_no_layer_norm() -> None:
    assert "layernorm" not in {node.op for node in by_litert((0, 2), 3)}


@pytest.mark.parametrize(
    ("first", "expected"), [("sub", ["input", "bn"]), ("sigmoid", ["input", "sigmoid", "bn"])]
)
def test_a_batch_norm_in_three_ops(first: str, expected: list[str]) -> None:
    """A difference to the mean, a scale and a shift, each by constants of the channels."""
    shape, constants = (1, 8, 8, 16), {"const_shape": (16,)}
    nodes = [
        Node("x", "input", outputs=(shape,)),
        Node("centred", first, ("x",), constants if first == "sub" else {}, (shape,)),
        Node("scaled", "mul", ("centred",), constants, (shape,)),
        Node("shifted", "add", ("scaled",), constants, (shape,)),
    ]
    assert [node.op for node in canonicalize(Graph(nodes))] == expected


@pytest.mark.parametrize("change", [{"axis": 1}, {"centred_by": "other"}])
def test_near_misses_stay(change: dict[str, Any]) -> None:
    assert "layernorm" not in {node.op for node in moments(**change)}


def by_quotient(shape: Shape, axes: tuple[int, ...], square: str = "square", factor: str = "d") -> list[str]:
    """Ops of x - mean over its deviation, over some axes."""
    mean = tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))
    reduced: dict[str, Any] = {"axes": axes, "keepdims": True}
    nodes = [
        Node("x", "input", outputs=(shape,)),
        Node("other", "sigmoid", ("x",), {}, (shape,)),
        Node("mean", "reduce_mean", ("x",), reduced, (mean,)),
        Node("d", "sub", ("x", "mean"), {}, (shape,)),
        Node("square", square, ("d",) if square == "square" else ("d", factor), {}, (shape,)),
        Node("variance", "reduce_mean", ("square",), reduced, (mean,)),
        Node("eps", "add", ("variance",), {"const": 1e-5}, (mean,)),
        Node("root", "sqrt", ("eps",), {}, (mean,)),
        Node("y", "div", ("d", "root"), {}, (shape,)),
        Node("z", "add", ("y", "other"), {}, (shape,)),
    ]
    return [node.op for node in canonicalize(Graph(nodes)) if node.op not in ("input", "sigmoid", "add")]


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((1, 8, 8, 16), (1, 2), "instancenorm"),
        ((1, 8, 16), (1, 2), "layernorm"),
        ((1, 8, 8, 16), (3,), "layernorm"),
        ((1, 8, 8, 16), (1, 2, 3), "layernorm"),
    ],
)
def test_the_axes_tell_which_norm_it_is(shape: Shape, axes: tuple[int, ...], expected: str) -> None:
    assert by_quotient(shape, axes) == [expected]
    assert by_quotient(shape, axes, "mul") == [expected]


@pytest.mark.parametrize(("shape", "axes"), [((1, 4, 8, 8, 16), (1, 2)), ((1, 8, 8, 16), (1, 3)), (X, (1,))])
def test_a_norm_over_other_axes_stays(shape: Shape, axes: tuple[int, ...]) -> None:
    assert "div" in by_quotient(shape, axes)


def test_a_product_of_two_tensors_is_no_square() -> None:
    assert "div" in by_quotient(X, (2,), "mul", "other")


@pytest.mark.parametrize(
    ("groups", "after", "expected"),
    [
        ((1, 4, 128), "reshape", ["input", "groupnorm"]),
        ((1, 4, 128), "relu", ["input", "reshape", "instancenorm", "relu"]),
        ((1, 4, 8, 16), "reshape", ["input", "reshape", "instancenorm", "reshape"]),
        ((2, 4, 64), "reshape", ["input", "reshape", "instancenorm", "reshape"]),
    ],
)
def test_a_group_norm_of_a_channels_first_image(groups: Shape, after: str, expected: list[str]) -> None:
    image = (1, 32, 4, 4)
    nodes = [
        Node("x", "input", outputs=(image,)),
        Node("grouped", "reshape", ("x",), {}, (groups,)),
        Node("normed", "instancenorm", ("grouped",), {}, (groups,)),
        Node("y", after, ("normed",), {}, (image if after == "reshape" else groups,)),
    ]
    graph = MutableGraph(nodes)
    channel_first_group_norms(graph)
    assert [node.op for node in graph] == expected
    if expected[-1] == "groupnorm":
        assert graph.nodes["y"].attrs == {"groups": 4}
