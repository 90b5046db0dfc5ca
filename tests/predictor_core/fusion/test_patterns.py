"""Squeeze-and-excitation in the spellings of TensorFlow, PyTorch and ONNX."""

from __future__ import annotations

from typing import Any

import pytest

from predictor_core.fusion import detect, load_rules
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.passes import canonicalize

RULES = load_rules("cortexA76cpu_tflite21")
SHAPE = (1, 14, 14, 64)
CONV = {"kernel": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "groups": 1}


def squeeze_excite(
    dense: str = "conv",
    inner: str = "relu",
    gate: str = "sigmoid",
    x_first: bool = True,
    middle: int = 16,
    **conv: Any,
) -> list[Node]:
    """Nodes of conv -> SE; with ``fc``, between reshapes."""
    flat = dense == "fc"
    wide, narrow = ((1, 64), (1, middle)) if flat else ((1, 1, 1, 64), (1, 1, 1, middle))
    attrs = {"bias": True} if flat else {**CONV, "bias": True, **conv}
    nodes = [
        Node("x", "input", outputs=(SHAPE,)),
        Node("main", "conv", ("x",), {**CONV, "bias": True}, (SHAPE,)),
        Node("pool", "reduce_mean", ("main",), {"axes": (1, 2), "keepdims": not flat}, (wide,)),
        Node("down", dense, ("pool",), attrs, (narrow,)),
        Node("inner", inner, ("down",), {}, (narrow,)),
        Node("up", dense, ("inner",), attrs, (wide,)),
    ]
    last = "up"
    if gate == "spelled":
        nodes += [
            Node("plus", "add", (last,), {"const": 3.0}, (wide,)),
            Node("clip", "relu6", ("plus",), {}, (wide,)),
            Node("sixth", "mul", ("clip",), {"const": 0.16667}, (wide,)),
        ]
        last = "sixth"
    else:
        nodes.append(Node("gate", gate, (last,), {}, (wide,)))
        last = "gate"
    if flat:
        nodes.append(Node("back", "reshape", (last,), {}, ((1, 1, 1, 64),)))
        last = "back"
    nodes.append(Node("scaled", "mul", ("main", last) if x_first else (last, "main"), {}, (SHAPE,)))
    return nodes


@pytest.mark.parametrize("x_first", [True, False])
@pytest.mark.parametrize("gate", ["sigmoid", "hsigmoid", "spelled"])
@pytest.mark.parametrize("inner", ["relu", "swish"])
@pytest.mark.parametrize("dense", ["conv", "fc"])
def test_every_spelling_is_one_kernel(dense: str, inner: str, gate: str, x_first: bool) -> None:
    graph = canonicalize(Graph(squeeze_excite(dense, inner, gate, x_first)))
    main, se = detect(graph, RULES)
    assert main.spec.type == "conv-bn"
    assert se.spec.type == "se"
    assert se.spec.inputs == (SHAPE,)
    assert se.spec.output == SHAPE
    assert se.spec.extra == (16,)
    assert se.nodes[0] == "pool"
    assert se.nodes[-1] == "scaled"


def test_a_canonical_gate_may_also_stay_spelled_out() -> None:
    # The pattern does not depend on the rewriting of composites.
    assert [kernel.spec.type for kernel in detect(Graph(squeeze_excite(gate="spelled")), RULES)] == [
        "conv-bn",
        "se",
    ]


def test_an_activation_follows() -> None:
    nodes = [*squeeze_excite(), Node("act", "relu", ("scaled",), {}, (SHAPE,))]
    assert [kernel.spec.type for kernel in detect(Graph(nodes), RULES)] == ["conv-bn", "se-relu"]


def test_middle_channels_are_part_of_the_kernel() -> None:
    small, large = (detect(Graph(squeeze_excite(middle=middle)), RULES)[1].spec for middle in (8, 16))
    assert small != large


def test_a_gate_on_another_tensor_is_not_se() -> None:
    nodes = squeeze_excite()
    nodes[-1] = Node("scaled", "mul", ("x", "gate"), {}, (SHAPE,))
    types = [kernel.spec.type for kernel in detect(Graph(nodes), RULES)]
    assert types == ["conv-bn", "global-avgpool", "conv-bn-relu", "conv-bn", "sigmoid", "mul"]


def test_a_squeeze_that_is_read_elsewhere_is_not_se() -> None:
    nodes = [*squeeze_excite(), Node("other", "relu", ("pool",), {}, ((1, 1, 1, 64),))]
    assert "se" not in [kernel.spec.type for kernel in detect(Graph(nodes), RULES)]


def test_a_grouped_squeeze_is_not_se() -> None:
    assert "se" not in [kernel.spec.type for kernel in detect(Graph(squeeze_excite(groups=4)), RULES)]
