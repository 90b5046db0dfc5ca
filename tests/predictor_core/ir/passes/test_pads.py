from __future__ import annotations

from typing import Any

import pytest

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.passes import canonicalize


def padded(pads: Any, *reader: Node, before: str = "relu", **attrs: Any) -> Graph:
    shape: Shape = (1, 8, 8, 16)
    out = tuple(dim + a + b for dim, (a, b) in zip(shape, pads))
    return canonicalize(
        Graph(
            [
                Node("x", "input", outputs=(shape,)),
                Node("r", before, ("x",), {}, (shape,)),
                Node("p", "pad", ("r",), {"pads": pads, **attrs}, (out,)),
                *reader,
            ]
        )
    )


ROWS_AND_COLUMNS = ((0, 0), (1, 2), (3, 0), (0, 0))
CONV = {
    "kernel": (3, 3),
    "strides": (1, 1),
    "pads": (1, 0, 0, 1),
    "dilations": (1, 1),
    "groups": 1,
    "bias": False,
}
POOL = {"kernel": (3, 3), "strides": (1, 1), "pads": (0, 0, 0, 0)}
READ = Node("y", "conv", ("p",), CONV, ((1, 10, 10, 4),))


def test_zeros_around_an_image_belong_to_the_conv() -> None:
    graph = padded(ROWS_AND_COLUMNS, READ)
    assert [node.name for node in graph] == ["x", "r", "y"]
    assert graph["y"].attrs["pads"] == (2, 3, 2, 1)
    assert graph["y"].shape == (1, 10, 10, 4)


@pytest.mark.parametrize(("before", "folded"), [("relu", True), ("tanh", False)])
def test_max_pool_takes_zeros_where_nothing_is_negative(before: str, folded: bool) -> None:
    graph = padded(ROWS_AND_COLUMNS, Node("y", "maxpool", ("p",), POOL, ((1, 9, 9, 16),)), before=before)
    assert ("p" not in graph) is folded


@pytest.mark.parametrize(
    ("pads", "attrs"),
    [
        (ROWS_AND_COLUMNS, {"mode": "reflect"}),
        (ROWS_AND_COLUMNS, {"value": 1.0}),
        (((0, 0), (1, 1), (1, 1), (0, 2)), {}),
        (((1, 0), (1, 1), (1, 1), (0, 0)), {}),
    ],
)
def test_other_padding_stays(pads: Any, attrs: dict[str, Any]) -> None:
    assert "p" in padded(pads, READ, **attrs)


def test_padding_that_others_read_stays() -> None:
    other = Node("z", "relu", ("p",), {}, ((1, 11, 11, 16),))
    assert "p" in padded(ROWS_AND_COLUMNS, READ, other)
    average = Node("y", "avgpool", ("p",), POOL, ((1, 9, 9, 16),))
    assert "p" in padded(ROWS_AND_COLUMNS, average)
