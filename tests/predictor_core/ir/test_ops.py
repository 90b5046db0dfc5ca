"""Attributes of the types that the rows of ops say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from predictor_core import load_latency_predictor
from predictor_core.errors import GraphError
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.ops import check_attributes

MAP = (1, 4, 4, 8)
CONV = {"kernel": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0), "groups": 1, "bias": True}


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("conv", CONV),
        ("conv", {**CONV, "kernel": [1, 1], "groups": np.int64(1), "bias": 1}),
        ("clip", {"min": 0, "max": None}),
        ("add", {"const": np.float32(3.0)}),
        ("Unknown", {"groups": "four"}),
    ],
)
def test_attributes_of_the_right_types(op: str, attrs: dict[str, Any]) -> None:
    check_attributes([Node("y", op, ("x",), attrs, (MAP,))])


@pytest.mark.parametrize(
    ("op", "attrs", "message"),
    [
        ("conv", {**CONV, "kernel": 3}, r"node 'y' \(conv\) has the attribute kernel 3; expected a tuple"),
        ("conv", {**CONV, "groups": "4"}, r"groups '4'; expected a int"),
        ("conv", {**CONV, "groups": 4.0}, r"groups 4\.0; expected a int"),
        ("clip", {"min": "0"}, r"min '0'; expected a float"),
        ("concat", {"axis": (1,)}, r"axis \(1,\); expected a int"),
        ("resize", {"mode": 1}, r"mode 1; expected a str"),
    ],
)
def test_attributes_of_other_types_are_refused(op: str, attrs: dict[str, Any], message: str) -> None:
    node = Node("y", op, ("x",), attrs, (MAP,))
    with pytest.raises(GraphError, match=message):
        check_attributes([node])
    graph = Graph([Node("x", "input", outputs=(MAP,)), node])
    with pytest.raises(GraphError, match="node 'y'"):
        load_latency_predictor("cortexA76cpu_tflite21").predict(graph)
