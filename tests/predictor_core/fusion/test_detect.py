"""Cutting graphs into kernels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor_core.fusion import Rules, detect, load_rules
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.passes import canonicalize

CPU, GPU, VPU = "cortexA76cpu_tflite21", "adreno640gpu_tflite21", "myriadvpu_openvino2019r2"
DEVICES = [CPU, GPU, "adreno630gpu_tflite21", VPU]
SHAPE = (1, 14, 14, 32)


class Builder:
    """Writes Nodes one after the other; each method returns the name of its node."""

    def __init__(self) -> None:
        self.nodes = [Node("x", "input", outputs=(SHAPE,))]

    def add(self, op: str, *inputs: str, shape: tuple[int, ...] = SHAPE, **attrs: Any) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs, attrs, (shape,)))
        return name

    def conv(self, source: str, shape: tuple[int, ...] = SHAPE, kernel: int = 1, **attrs: Any) -> str:
        window = {"kernel": (kernel, kernel), "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
        return self.add("conv", source, shape=shape, **{**window, "groups": 1, "bias": True, **attrs})

    def types(self, device: str) -> list[str]:
        return [kernel.spec.type for kernel in detect(self.graph(), load_rules(device))]

    def graph(self) -> Graph:
        return canonicalize(Graph(self.nodes))


@pytest.fixture
def b() -> Builder:
    return Builder()


@pytest.mark.parametrize("device", DEVICES)
def test_an_activation_joins_its_conv(b: Builder, device: str) -> None:
    b.add("relu", b.conv("x"))
    assert b.types(device) == ["conv-bn-relu"]


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_is_merged_over_a_tensor_that_two_nodes_read(b: Builder, device: str) -> None:
    conv = b.conv("x")
    b.add("relu", conv)
    b.conv(conv)
    assert b.types(device) == ["conv-bn", "relu", "conv-bn"]


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_is_merged_over_an_output_of_the_model(b: Builder, device: str) -> None:
    conv = b.conv("x")
    relu = b.add("relu", conv)
    graph = Graph(b.nodes, outputs=(conv, relu))
    assert [kernel.spec.type for kernel in detect(graph, load_rules(device))] == ["conv-bn", "relu"]


@pytest.mark.parametrize(
    ("device", "expected"), [(CPU, ["conv-bn", "add-relu"]), (GPU, ["conv-bn-add-relu"])]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_residual_joins_the_conv_on_the_gpus(
    b: Builder, device: str, expected: list[str], first: bool
) -> None:
    conv = b.conv("x")
    b.add("relu", b.add("add", *((conv, "x") if first else ("x", conv))))
    assert b.types(device) == expected


def test_a_merged_residual_is_an_input_of_the_kernel(b: Builder) -> None:
    b.add("add", b.conv("x", kernel=3), "x")
    (kernel,) = detect(b.graph(), load_rules(GPU))
    assert kernel.spec.inputs == (SHAPE, SHAPE)
    assert kernel.spec.epilogue == ("add",)
    assert kernel.nodes == ("conv_1", "add_2")


def test_a_sum_of_two_convs_joins_the_later_one(b: Builder) -> None:
    first, second = b.conv("x"), b.conv("x", kernel=3)
    b.add("add", second, first)
    assert b.types(GPU) == ["conv-bn", "conv-bn-add"]


def test_a_sum_that_spreads_the_conv_is_not_merged(b: Builder) -> None:
    small = b.conv(b.add("reduce_mean", "x", shape=(1, 1, 1, 32), axes=(1, 2), keepdims=True), (1, 1, 1, 32))
    b.add("add", small, "x")
    assert b.types(GPU) == ["global-avgpool", "conv-bn", "add"]


def test_the_convolution_engine_pools(b: Builder) -> None:
    pooled = (1, 7, 7, 32)
    b.add("maxpool", b.add("relu", b.conv("x")), shape=pooled, kernel=(2, 2), strides=(2, 2), pads=(0,) * 4)
    assert b.types(CPU) == ["conv-bn-relu", "maxpool"]
    (kernel,) = detect(b.graph(), load_rules(VPU))
    assert kernel.spec.type == "conv-bn-relu-maxpool"
    assert kernel.spec.output == SHAPE
    assert kernel.spec.extra == (2, 2, 2, 2)


def test_a_pool_after_a_sum_stays_by_itself(b: Builder) -> None:
    pooled = (1, 7, 7, 32)
    total = b.add("relu", b.add("add", b.conv("x"), "x"))
    b.add("maxpool", total, shape=pooled, kernel=(2, 2), strides=(2, 2), pads=(0,) * 4)
    assert b.types(VPU) == ["conv-bn", "add-relu", "maxpool"]


def test_groups_make_another_kernel(b: Builder) -> None:
    b.conv(
        b.conv("x", groups=4, kernel=3, bias=False), dilations=(2, 2), strides=(2, 1), shape=(1, 7, 14, 32)
    )
    grouped, dilated = detect(b.graph(), load_rules(CPU))
    assert (grouped.spec.type, grouped.spec.groups) == ("groupconv", 4)
    assert (dilated.spec.dilations, dilated.spec.strides) == ((2, 2), (2, 1))


@pytest.mark.parametrize("keepdims", [True, False])
def test_global_pools_are_equal_with_and_without_a_reshape(b: Builder, keepdims: bool) -> None:
    pool = b.add(
        "reduce_mean", "x", shape=(1, 1, 1, 32) if keepdims else (1, 32), axes=(1, 2), keepdims=keepdims
    )
    last = b.add("reshape", pool, shape=(1, 32)) if keepdims else pool
    b.add("fc", last, shape=(1, 10), bias=True)
    pool_kernel, fc = detect(b.graph(), load_rules(CPU))
    assert pool_kernel.spec.type == "global-avgpool"
    assert pool_kernel.spec.output == (1, 32)
    assert fc.spec.type == "fc-bn"


def test_a_constant_operand_is_read(b: Builder) -> None:
    b.add("mul", "x", const_shape=(1, 14, 14, 1))
    b.add("add", "x", const=3.0)
    by_op = {kernel.spec.op: kernel.spec.inputs for kernel in detect(b.graph(), load_rules(CPU))}
    assert by_op == {"mul": (SHAPE, (1, 14, 14, 1)), "add": (SHAPE,)}


def test_sizes_of_a_split_and_axis_of_a_concat_are_kept(b: Builder) -> None:
    halves = ((1, 14, 14, 8), (1, 14, 14, 24))
    b.nodes.append(Node("parts", "split", ("x",), {"axis": 3, "sizes": (8, 24)}, halves))
    b.add("concat", "parts:1", "parts:0", axis=3)
    b.add("concat", "x", "x", axis=1, shape=(1, 28, 14, 32))
    split, channels, rows = detect(Graph(b.nodes), load_rules(CPU))
    assert split.spec.extra == (14 * 14 * 8, 14 * 14 * 24)
    assert channels.spec.inputs == (halves[1], halves[0])
    assert channels.spec.extra == ()
    assert rows.spec.extra == (1,)


def test_layers_of_an_lstm_are_kept() -> None:
    nodes = [
        Node("x", "input", outputs=((1, 20, 32),)),
        Node("y", "lstm", ("x",), {"hidden": 64, "layers": 2, "bidirectional": True}, ((1, 20, 128),)),
    ]
    (kernel,) = detect(Graph(nodes), load_rules(CPU))
    assert kernel.spec.extra == (64, 2, 2)


def test_an_unknown_op_is_a_kernel(b: Builder) -> None:
    b.add("NotAnOp", "x")
    assert b.types(CPU) == ["NotAnOp"]


def test_free_nodes_are_in_no_kernel() -> None:
    nodes = [Node("x", "input", outputs=(SHAPE,)), Node("y", "dropout", ("x",), {}, (SHAPE,))]
    assert detect(Graph(nodes), load_rules(CPU)) == []


def test_scope_is_that_of_the_main_node() -> None:
    nodes = [
        Node("x", "input", outputs=(SHAPE,)),
        Node("bn", "bn", ("x",), {}, (SHAPE,), scope="features.norm"),
        Node("relu", "relu", ("bn",), {}, (SHAPE,), scope="features.relu"),
    ]
    (kernel,) = detect(Graph(nodes), load_rules(CPU))
    assert (kernel.spec.type, kernel.scope, kernel.name) == ("bn-relu", "features.norm", "bn")


steps = st.lists(
    st.tuples(
        st.sampled_from(["conv", "relu", "relu6", "hswish", "add", "mul", "bn", "sigmoid"]),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=30,
)


@given(steps=steps, device=st.sampled_from(DEVICES))
def test_every_node_is_in_exactly_one_kernel(steps: list[tuple[str, int, int]], device: str) -> None:
    b = Builder()
    for op, first, second in steps:
        sources = [b.nodes[first % len(b.nodes)].name, b.nodes[second % len(b.nodes)].name]
        if op == "conv":
            b.conv(sources[0])
        else:
            b.add(op, *sources[: 2 if op in ("add", "mul") else 1])
    graph = Graph(b.nodes)
    kernels = detect(graph, load_rules(device))
    assert sorted(name for kernel in kernels for name in kernel.nodes) == sorted(
        node.name for node in graph if node.op != "input"
    )
    owner = {name: index for index, kernel in enumerate(kernels) for name in kernel.nodes}
    for kernel in kernels:
        for inner in kernel.nodes[:-1]:
            # What is merged over is read by the kernel alone.
            assert {owner[node.name] for node in graph.consumers(inner)} == {owner[inner]}


def test_rules_without_entries_merge_nothing(b: Builder) -> None:
    b.add("relu", b.conv("x"))
    assert [kernel.spec.type for kernel in detect(b.graph(), Rules({}))] == ["conv-bn", "relu"]


@pytest.mark.parametrize("slot", [0, 1])
def test_what_reads_one_of_two_outputs_is_merged_as_well(b: Builder, slot: int) -> None:
    b.nodes.append(Node("pool", "maxpool", ("x",), {"kernel": (1, 1)}, (SHAPE, SHAPE)))
    graph = Graph(b.nodes, outputs=[b.add("relu", f"pool:{slot}")])
    rules = Rules({"maxpool": frozenset({"relu"})})
    assert [kernel.spec.type for kernel in detect(graph, rules)] == ["maxpool-relu"]
