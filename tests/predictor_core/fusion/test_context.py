"""What kernels overlap with on a device with an engine of its own."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor_core import zoo
from predictor_core.fusion import detect, load_rules
from predictor_core.fusion.context import (
    NO_OVERLAP,
    POINTWISE,
    REACH,
    WINDOW,
    WITHOUT_WEIGHTS,
    contexts,
    pair_up,
)
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.passes import canonicalize
from predictor_core.kernels import KernelSpec

CPU, VPU = "cortexA76cpu_tflite21", "myriadvpu_openvino2019r2"
ENGINE = frozenset({"conv", "maxpool", "avgpool"})
SHAPE = (1, 8, 8, 16)
CONV = {
    "kernel": (3, 3),
    "strides": (1, 1),
    "pads": (1, 1, 1, 1),
    "dilations": (1, 1),
    "groups": 1,
    "bias": True,
}


def spec(op: str, kernel: int = 1) -> KernelSpec:
    return KernelSpec(op, op, (SHAPE,), SHAPE, kernel=(kernel, kernel))


@pytest.mark.parametrize(
    ("other", "code"),
    [(spec("conv"), POINTWISE), (spec("conv", 3), WINDOW), (spec("avgpool", 3), WITHOUT_WEIGHTS)],
)
def test_branches_overlap(other: KernelSpec, code: int) -> None:
    specs = [spec("relu"), spec("conv"), spec("relu"), other, spec("add")]
    found = contexts(specs, [[], [0], [1], [1], [2, 3]], ENGINE)
    assert found[2] == (code, 1, 0)
    assert found[4] == (NO_OVERLAP, int(other.op == "conv"), int(other.op != "conv"))
    assert found[1] == found[3] == ()


def test_a_chain_does_not_overlap() -> None:
    specs = [spec("conv"), spec("relu"), spec("conv"), spec("relu")]
    assert contexts(specs, [[], [0], [1], [2]], ENGINE) == [(), (NO_OVERLAP, 1, 0), (), (NO_OVERLAP, 1, 0)]


def test_the_engine_takes_one_kernel_at_a_time() -> None:
    specs = [spec("conv"), spec("conv", 3), spec("relu"), spec("relu")]
    found = contexts(specs, [[], [0], [0], [0]], ENGINE)
    assert sorted(context[0] for context in found[2:]) == [NO_OVERLAP, WINDOW]


def test_pairs_do_not_wait_for_each_other() -> None:
    # Each relu could overlap the other branch's convolution, but both would wait for each other.
    specs = [spec("conv"), spec("relu"), spec("conv"), spec("relu"), spec("conv")]
    found = contexts(specs, [[], [0], [1], [0], [3]], ENGINE)
    assert sorted(found[i][0] for i in (1, 3)) == [NO_OVERLAP, POINTWISE]


@pytest.mark.parametrize("between", range(REACH - 2, REACH + 2))
@pytest.mark.parametrize("engine_first", [True, False])
def test_only_what_is_near_overlaps(between: int, engine_first: bool) -> None:
    ends = ("conv", "relu") if engine_first else ("relu", "conv")
    # A branch of one kernel, and one that ends after `between` others.
    ops = ["concat", ends[0], *["concat"] * between, ends[1]]
    reads = [[], [0], [0], *[[i] for i in range(2, between + 2)]]
    waiting = {ops.index("relu")}
    partners = pair_up([spec(op) for op in ops], reads, ENGINE, waiting)
    assert partners == ({ops.index("relu"): ops.index("conv")} if between < REACH else {})


@pytest.mark.parametrize("between", range(REACH))
def test_what_reads_a_kernel_does_not_overlap_with_it(between: int) -> None:
    ops = ["concat", "relu", *["concat"] * between, "conv"]
    reads = [[], [0], *[[i if i > 1 else 0] for i in range(1, between + 1)], [1, between + 1]]
    assert pair_up([spec(op) for op in ops], reads, ENGINE, {1}) == {}


def test_what_waits_for_one_of_a_pair_waits_for_both() -> None:
    # 1 and 9 run at once and 9 waits for 8, so that 16, which waits for 1, can't run beside 8.
    ops = ["concat", "conv", *["concat"] * 6, "conv", "relu", *["concat"] * 6, "relu"]
    chain = [[0], *[[i] for i in range(2, 9)], [0], *[[i] for i in range(10, 15)]]
    assert pair_up([spec(op) for op in ops], [[], [0], *chain, [1, 15]], ENGINE, {9, 16}) == {9: 1}


@given(st.data())
def test_pairs_can_be_run(data: st.DataObject) -> None:
    # Long enough for pairs whose waiting has to be passed on beyond where they can reach.
    ops = data.draw(st.lists(st.sampled_from(["conv", "avgpool", "relu", "add", "concat"]), max_size=40))
    earlier = [
        st.lists(st.integers(0, i - 1), max_size=2, unique=True) if i else st.just([]) for i in range(40)
    ]
    reads = [data.draw(earlier[i]) for i in range(len(ops))]
    waiting = {i for i, op in enumerate(ops) if op in ("relu", "add")}
    partners = pair_up([spec(op) for op in ops], reads, ENGINE, waiting)
    assert set(partners) <= waiting
    assert all(ops[busy] in ENGINE for busy in partners.values())
    assert len(set(partners.values())) == len(partners)
    steps: dict[int, set[int]] = {}
    for i, makers in enumerate(reads):
        steps.setdefault(partners.get(i, i), set()).update(partners.get(maker, maker) for maker in makers)
    # Raises when a step waits for itself, directly or not.
    TopologicalSorter(steps).prepare()


def test_only_a_device_with_an_engine_gives_contexts() -> None:
    graph = canonicalize(zoo.build("nasbench201"))
    assert not any(kernel.spec.context for kernel in detect(graph, load_rules(CPU)))
    overlaps = {kernel.spec.context[0] for kernel in detect(graph, load_rules(VPU)) if kernel.spec.context}
    assert {NO_OVERLAP, WINDOW} <= overlaps


def test_the_order_of_independent_nodes_is_no_part_of_a_context() -> None:
    first, last = Node("x", "input", (), {}, (SHAPE,)), Node("end", "add", ("b", "r"), {}, (SHAPE,))
    a, b = Node("a", "conv", ("x",), CONV, (SHAPE,)), Node("b", "conv", ("a",), CONV, (SHAPE,))
    r = Node("r", "relu", ("a",), {}, (SHAPE,))
    found = [
        {kernel.name: kernel.spec.context for kernel in detect(canonicalize(Graph(nodes)), load_rules(VPU))}
        for nodes in ([first, a, b, r, last], [first, a, r, b, last])
    ]
    assert found[0] == found[1]
    assert found[0]["r"] == (WINDOW, 1, 0)


def test_free_nodes_do_not_hide_who_made_an_input() -> None:
    nodes = [
        Node("x", "input", (), {}, (SHAPE,)),
        Node("a", "conv", ("x",), CONV, (SHAPE,)),
        Node("drop", "dropout", ("a",), {}, (SHAPE,)),
        Node("r", "relu", ("drop",), {}, (SHAPE,)),
    ]
    found = {kernel.name: kernel.spec.context for kernel in detect(Graph(nodes), load_rules(VPU))}
    assert found == {"a": (), "r": (NO_OVERLAP, 1, 0)}
