from __future__ import annotations

import pytest

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.passes import canonicalize


def flattened(before: Shape, product: Shape, after: Shape, *rest: Node) -> Graph:
    return canonicalize(
        Graph(
            [
                Node("x", "input", outputs=((2, 16, 32),)),
                Node("r", "reshape", ("x",), {}, (before,)),
                Node("y", "fc", ("r",), {"bias": False}, (product,)),
                Node("s", "reshape", ("y",), {}, (after,)),
                *rest,
            ]
        )
    )


def test_reshapes_around_a_product_are_dropped() -> None:
    bias = Node("b", "biasadd", ("s",), {}, ((2, 16, 8),))
    graph = flattened((32, 32), (32, 8), (2, 16, 8), bias)
    assert [(node.op, node.shape) for node in graph] == [("input", (2, 16, 32)), ("fc", (2, 16, 8))]
    assert graph["y"].attrs == {"bias": True}


def test_scales_and_shifts_may_stand_before_the_second_reshape() -> None:
    """So do products of integers, whose scale and bias are nodes of their own."""
    graph = canonicalize(
        Graph(
            [
                Node("x", "input", outputs=((2, 16, 32),)),
                Node("r", "reshape", ("x",), {}, ((32, 32),)),
                Node("y", "fc", ("r",), {"bias": False}, ((32, 8),)),
                Node("m", "mul", ("y",), {"const_shape": ()}, ((32, 8),)),
                Node("b", "add", ("m",), {"const_shape": (8,)}, ((32, 8),)),
                Node("s", "reshape", ("b",), {}, ((2, 16, 8),)),
            ]
        )
    )
    assert [(node.op, node.shape) for node in graph] == [("input", (2, 16, 32)), ("fc", (2, 16, 8))]
    assert graph["y"].attrs == {"bias": True}


def test_features_may_be_split_into_heads() -> None:
    shift = Node("b", "add", ("s",), {"const_shape": (1, 1, 4, 2)}, ((2, 16, 4, 2),))
    graph = flattened((32, 32), (32, 8), (2, 16, 4, 2), shift)
    assert [node.name for node in graph] == ["x", "y", "s"]
    assert graph["y"].shape == (2, 16, 8)
    assert graph["y"].attrs == {"bias": True}
    assert graph.outputs == ("s",)


@pytest.mark.parametrize(
    ("before", "product", "after"),
    [((16, 64), (16, 8), (2, 8, 8)), ((32, 32), (32, 8), (4, 8, 8)), ((64, 16), (64, 8), (2, 32, 8))],
)
def test_other_reshapes_stay(before: Shape, product: Shape, after: Shape) -> None:
    assert len(flattened(before, product, after)) == 4


@pytest.mark.parametrize("shape", [(2,), (4, 1), (16, 1, 1)])
def test_other_constants_are_no_bias(shape: Shape) -> None:
    shift = Node("b", "add", ("s",), {"const_shape": shape}, ((2, 16, 4, 2),))
    graph = flattened((32, 32), (32, 8), (2, 16, 4, 2), shift)
    assert "b" in graph
    assert graph["y"].attrs == {"bias": False}
