from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest

from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.passes import canonicalize
from tests.graph_factory import NodeList, all_ops

IMAGE = (1, 8, 8, 16)


class Model(NodeList):
    def __init__(self, shape: Shape = IMAGE) -> None:
        super().__init__(shape)

    def canonical(self, *outputs: str) -> Graph:
        return canonicalize(Graph(self.nodes, outputs=outputs))


def hswish_tflite(m: Model, x: str) -> str:
    return m("mul", x, m("mul", m("relu6", m("add", x, const=3.0)), const=0.16667))


def hswish_product_first(m: Model, x: str) -> str:
    return m("div", m("mul", x, m("clip", m("add", x, const=3), min=0.0, max=6.0)), const=6)


def hswish_scaled_x(m: Model, x: str) -> str:
    return m("mul", m("mul", x, const=1 / 6), m("relu6", m("add", x, const=3.0)))


def hswish_gate(m: Model, x: str) -> str:
    return m("mul", m("hsigmoid", x), x)


def gelu_exporter(m: Model, x: str) -> str:
    shift = m("add", m("erf", m("div", x, const=math.sqrt(2))), const=1.0)
    return m("mul", m("mul", x, shift), const=0.5)


def gelu_half_first(m: Model, x: str) -> str:
    half = m("mul", x, const=0.5)
    return m("mul", half, m("add", m("erf", m("mul", x, const=math.sqrt(0.5))), const=1.0))


def gelu_tanh(m: Model, x: str) -> str:
    cube = m("mul", m("pow", x, const=3.0), const=0.044715)
    shift = m("add", m("tanh", m("mul", m("add", x, cube), const=math.sqrt(2 / math.pi))), const=1.0)
    return m("mul", m("mul", x, const=0.5), shift)


def layernorm(m: Model, x: str) -> str:
    centred = m("sub", x, m("reduce_mean", x, axes=(-1,), keepdims=True, shape=(1, 8, 8, 1)))
    mean = m("reduce_mean", m("pow", centred, const=2.0), axes=(3,), keepdims=True, shape=(1, 8, 8, 1))
    root = m("sqrt", m("add", mean, const=1e-5))
    y = m("div", centred, root, shape=IMAGE)
    return m("add", m("mul", y, const_shape=(16,)), const_shape=(16,))


def rmsnorm(m: Model, x: str) -> str:
    mean = m("reduce_mean", m("mul", x, x), axes=(3,), keepdims=True, shape=(1, 8, 8, 1))
    return m("mul", m("mul", x, m("rsqrt", m("add", mean, const=1e-6))), const_shape=(16,))


def l2norm(m: Model, x: str) -> str:
    norm = m("clip", m("reduce_sum", x, axes=(3,), keepdims=True, shape=(1, 8, 8, 1)), min=1e-12)
    return m("div", x, m("expand", norm, shape=IMAGE))


def shuffle(m: Model, x: str) -> str:
    y = m("reshape", x, shape=(1, 8, 8, 2, 8))
    return m("reshape", m("transpose", y, perm=(0, 1, 2, 4, 3), shape=(1, 8, 8, 8, 2)), shape=IMAGE)


SPELLINGS: list[tuple[str, Callable[[Model, str], str]]] = [
    ("hswish", hswish_tflite),
    ("hswish", hswish_product_first),
    ("hswish", hswish_scaled_x),
    ("hswish", hswish_gate),
    ("hsigmoid", lambda m, x: m("div", m("relu6", m("add", x, const=3.0)), const=6.0)),
    ("swish", lambda m, x: m("mul", x, m("sigmoid", x))),
    ("softplus", lambda m, x: m("log", m("add", m("exp", x), const=1.0))),
    ("mish", lambda m, x: m("mul", x, m("tanh", m("softplus", x)))),
    ("gelu", gelu_exporter),
    ("gelu", gelu_half_first),
    ("gelu", gelu_tanh),
    ("relu", lambda m, x: m("clip", x, min=0.0)),
    ("layernorm", layernorm),
    ("rmsnorm", rmsnorm),
    ("l2norm", l2norm),
    ("channelshuffle", shuffle),
    ("bn", lambda m, x: m("add", m("mul", x, const_shape=(16,)), const_shape=(1, 1, 1, 16))),
]


@pytest.mark.parametrize(("op", "spell"), SPELLINGS)
def test_composite_is_one_node_with_the_name_of_its_last(op: str, spell: Callable[[Model, str], str]) -> None:
    m = Model()
    x = m("maxpool", "x", kernel=(3, 3), strides=(1, 1), pads=(1, 1, 1, 1))
    last = spell(m, x)
    m("relu", last)
    graph = m.canonical()
    assert all_ops(graph) == ["input", "maxpool", op, "relu"]
    assert graph[last].inputs == (x,)
    assert graph[last].shape == IMAGE


@pytest.mark.parametrize(
    "spell",
    [
        lambda m, x: m("mul", x, m("mul", m("relu6", m("add", x, const=2.0)), const=1 / 6)),
        lambda m, x: m("mul", x, m("mul", m("relu6", m("add", x, const=3.0)), const=0.2)),
        lambda m, x: m("mul", x, m("sigmoid", m("tanh", x))),
        lambda m, x: m("mul", x, m("mul", m("add", m("erf", x), const=1.0), const=0.5)),
        lambda m, x: m("clip", x, min=-1.0, max=1.0),
        lambda m, x: m("div", x, m("reduce_sum", x, axes=(3,), keepdims=True, shape=(1, 8, 8, 1))),
    ],
)
def test_near_misses_are_left_alone(spell: Callable[[Model, str], str]) -> None:
    m = Model()
    spell(m, "x")
    before = Graph(m.nodes)
    assert canonicalize(before) is before


def test_inner_tensor_that_is_read_elsewhere_stays() -> None:
    m = Model()
    gate = m("sigmoid", "x")
    m("concat", m("mul", "x", gate), gate, axis=3, shape=(1, 8, 8, 32))
    assert all_ops(m.canonical()) == ["input", "sigmoid", "mul", "concat"]


@pytest.mark.parametrize(
    "after",
    [
        lambda m, x: m("bn", x),
        lambda m, x: m("biasadd", x),
        lambda m, x: m("add", x, const_shape=(1, 1, 1, 16)),
        lambda m, x: m("bn", m("add", x, const_shape=(16,))),
        lambda m, x: m("add", m("mul", x, const_shape=(16,)), const_shape=(16,)),
    ],
)
def test_shift_after_a_conv_is_its_bias(after: Callable[[Model, str], str]) -> None:
    plain, folded = Model(), Model()
    plain("relu", plain.conv("x", groups=1, bias=True))
    conv = folded.conv("x", groups=1)
    folded("relu", after(folded, conv))
    graph = folded.canonical()
    assert all_ops(graph) == ["input", "conv", "relu"]
    assert graph[conv].attrs == plain.canonical()[conv].attrs
    assert graph[conv].attrs["bias"] is True


def test_shift_of_a_conv_with_two_readers_stays() -> None:
    m = Model()
    conv = m.conv("x")
    m("add", m("bn", conv), conv)
    graph = m.canonical()
    assert all_ops(graph) == ["input", "conv", "bn", "add"]
    assert graph[conv].attrs["bias"] is False


def test_scalar_sum_after_a_conv_stays() -> None:
    m = Model()
    m("add", m.conv("x"), const=3.0)
    assert all_ops(m.canonical()) == ["input", "conv", "add"]


def test_scalar_sum_after_a_conv_with_one_channel_is_its_bias() -> None:
    m = Model((1, 8, 8, 1))
    m("add", m.conv("x"), const=0.3)
    assert all_ops(m.canonical()) == ["input", "conv"]


def test_output_of_the_model_is_never_an_inner_tensor() -> None:
    m = Model()
    conv = m.conv("x")
    norm = m("bn", conv)
    assert all_ops(m.canonical(conv, norm)) == ["input", "conv", "bn"]
    graph = m.canonical(norm)
    assert all_ops(graph) == ["input", "conv"]
    assert graph.outputs == (conv,)


def test_free_ops_are_dropped_and_listed() -> None:
    m = Model()
    drop = m("dropout", m("identity", "x"))
    same = m("relu", m("reshape", drop, shape=IMAGE))
    m("transpose", same, perm=(0, 1, 2, 3))
    graph = m.canonical()
    assert all_ops(graph) == ["input", "relu"]
    assert set(graph.free) == {"identity_1", "dropout_2", "reshape_3", "transpose_5"}


def test_what_no_output_needs_is_dropped() -> None:
    m = Model()
    kept = m("relu", "x")
    m("sigmoid", m("tanh", "x"))
    assert all_ops(m.canonical(kept)) == ["input", "relu"]


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("avgpool", {"kernel": (8, 8), "strides": (1, 1), "pads": (0, 0, 0, 0)}),
        ("adaptivepool", {"mode": "avg"}),
        ("reduce_mean", {"axes": (-3, -2), "keepdims": 1}),
    ],
)
@pytest.mark.parametrize("flatten", [True, False])
def test_global_pools_are_one_op(op: str, attrs: dict[str, Any], flatten: bool) -> None:
    m = Model()
    pool = m(op, "x", shape=(1, 1, 1, 16), **attrs)
    y = m("reshape", pool, shape=(1, 16)) if flatten else pool
    m("softmax", y, axis=-1)
    graph = m.canonical()
    assert all_ops(graph) == ["input", "reduce_mean", "softmax"]
    assert graph[pool].attrs == {"axes": (1, 2), "keepdims": not flatten}


def test_adaptive_pool_of_a_divisor_is_a_pool() -> None:
    m = Model()
    pool = m("adaptivepool", "x", mode="max", shape=(1, 4, 2, 16))
    odd = m("adaptivepool", pool, mode="max", shape=(1, 3, 2, 16))
    graph = m.canonical()
    assert (graph[pool].op, graph[pool].attrs["kernel"], graph[pool].attrs["strides"]) == (
        "maxpool",
        (2, 4),
        (2, 4),
    )
    assert graph[odd].op == "adaptivepool"


def test_slices_that_share_out_a_tensor_are_a_split() -> None:
    m = Model()
    low = m("slice", "x", axes=(3,), starts=(0,), steps=(1,), shape=(1, 8, 8, 4))
    high = m("slice", "x", axes=(3,), starts=(4,), steps=(1,), shape=(1, 8, 8, 12))
    m("concat", m("relu", low), high, axis=3, shape=IMAGE)
    graph = m.canonical()
    assert all_ops(graph) == ["input", "split", "relu", "concat"]
    assert graph[low].attrs == {"axis": 3, "sizes": (4, 12)}
    assert graph["concat_4"].inputs == ("relu_3", f"{low}:1")


def test_slices_along_several_axes_are_one() -> None:
    m = Model()
    rows = m("slice", "x", axes=(1,), starts=(0,), steps=(2,), shape=(1, 4, 8, 16))
    even = m("slice", rows, axes=(2,), starts=(0,), steps=(2,), shape=(1, 4, 4, 16))
    odd = m("slice", rows, axes=(2,), starts=(1,), steps=(2,), shape=(1, 4, 4, 16))
    m("add", even, odd)
    graph = m.canonical()
    assert all_ops(graph) == ["input", "slice", "slice", "add"]
    assert graph[odd].attrs == {"axes": (1, 2), "starts": (0, 1), "steps": (2, 2)}
    assert graph[odd].inputs == ("x",)


@pytest.mark.parametrize("second", [(2, 1, 12), (4, 1, 11), (4, 2, 6)])
def test_slices_with_an_overlap_a_gap_or_a_stride_stay(second: tuple[int, int, int]) -> None:
    start, step, size = second
    m = Model()
    low = m("slice", "x", axes=(3,), starts=(0,), steps=(1,), shape=(1, 8, 8, 4))
    high = m("slice", "x", axes=(3,), starts=(start,), steps=(step,), shape=(1, 8, 8, size))
    m("concat", low, high, axis=3, shape=(1, 8, 8, 4 + size))
    assert all_ops(m.canonical()) == ["input", "slice", "slice", "concat"]


def test_depthwise_is_named_by_its_groups() -> None:
    m, grey = Model(), Model((1, 8, 8, 1))
    assert all_ops(canonicalize(Graph([*m.nodes, conv_of(m, 16)]))) == ["input", "dwconv"]
    assert all_ops(canonicalize(Graph([*m.nodes, conv_of(m, 4)]))) == ["input", "conv"]
    assert all_ops(canonicalize(Graph([*grey.nodes, conv_of(grey, 1)]))) == ["input", "conv"]


def conv_of(m: Model, groups: int) -> Node:
    return Node("c", "conv", ("x",), {"kernel": (3, 3), "groups": groups, "bias": True}, (IMAGE,))


def test_canonical_form_is_stable() -> None:
    m = Model()
    y = hswish_tflite(m, m("bn", m.conv("x")))
    m("softmax", m("reshape", shuffle(m, gelu_exporter(m, y)), shape=(1, 1024)), axis=-1)
    once = m.canonical()
    assert canonicalize(once) is once


def test_cost_is_linear() -> None:
    def calls(blocks: int) -> int:
        m = Model()
        y = "x"
        for _ in range(blocks):
            y = hswish_tflite(m, m("bn", m.conv(y)))
        graph = Graph(m.nodes)
        count = 0

        def note(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            canonicalize(graph)
        finally:
            sys.setprofile(None)
        return count

    assert calls(200) < 11 * calls(20)
