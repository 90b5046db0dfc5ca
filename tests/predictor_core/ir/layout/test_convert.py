from __future__ import annotations

import pytest

from predictor_core.errors import GraphError
from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.layout import channels_last
from tests.graph_factory import NodeList, all_ops

IMAGE = (2, 16, 8, 6)


class Model(NodeList):
    def __init__(self, shape: Shape = IMAGE) -> None:
        super().__init__(shape)

    def graph(self) -> Graph:
        return channels_last(self.nodes)


def test_images_and_axes_move() -> None:
    m = Model()
    y = m.conv("x")
    z = m("concat", y, m("relu", y), axis=1, shape=(2, 32, 8, 6))
    z = m("pad", z, pads=((0, 0), (0, 0), (1, 2), (3, 4)), shape=(2, 32, 11, 13))
    z = m("slice", z, axes=(2,), starts=(1,), steps=(1,), shape=(2, 32, 5, 13))
    z = m("add", z, const_shape=(32, 1, 1))
    z = m("softmax", z, axis=-3)
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv", "relu", "concat", "pad", "slice", "add", "softmax"]
    assert graph.inputs[0].shape == (2, 8, 6, 16)
    concat, pad, cut, add, softmax = graph.nodes[3:]
    assert (concat.shape, concat.attrs["axis"]) == ((2, 8, 6, 32), 3)
    assert (pad.shape, pad.attrs["pads"]) == ((2, 11, 13, 32), ((0, 0), (1, 2), (3, 4), (0, 0)))
    assert (cut.shape, cut.attrs["axes"]) == ((2, 5, 13, 32), (1,))
    assert add.attrs["const_shape"] == (32,)
    assert softmax.attrs["axis"] == 3


def test_split_outputs_move() -> None:
    nodes = [
        *Model().nodes,
        Node("s", "split", ("x",), {"axis": 1, "sizes": (4, 12)}, ((2, 4, 8, 6), (2, 12, 8, 6))),
        Node("p", "maxpool", ("s:1",), {"kernel": (2, 2), "strides": (2, 2)}, ((2, 12, 4, 3),)),
    ]
    graph = channels_last(nodes)
    assert graph["s"].attrs["axis"] == 3
    assert graph["s"].outputs == ((2, 8, 6, 4), (2, 8, 6, 12))
    assert graph["p"].inputs == ("s:1",)


def test_classifier_reads_the_flattened_image_without_a_transpose() -> None:
    m = Model()
    m("fc", m("reshape", m.conv("x"), shape=(2, 768)), shape=(2, 10))
    assert all_ops(m.graph()) == ["input", "conv", "reshape", "fc"]


def test_patches_become_tokens_without_a_transpose() -> None:
    m = Model()
    y = m("reshape", m.conv("x"), shape=(2, 16, 48))
    y = m("layernorm", m("transpose", y, perm=(0, 2, 1), shape=(2, 48, 16)), axis=-1)
    m("fc", y, bias=True, shape=(2, 48, 64))
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv", "reshape", "layernorm", "fc"]
    assert graph.nodes[2].shape == (2, 48, 16)
    assert graph.nodes[3].attrs["axis"] == 2
    assert "transpose_3" in graph.free


@pytest.mark.parametrize("order", ["scale first", "transpose first"])
def test_block_that_works_channels_last_inside(order: str) -> None:
    m = Model()
    x = m.conv("x")
    y = m("transpose", m.conv(x), perm=(0, 2, 3, 1), shape=(2, 8, 6, 16))
    y = m("fc", m("layernorm", y, axis=3), shape=(2, 8, 6, 16), bias=True)
    if order == "scale first":
        y = m("mul", y, const_shape=(16,))
    y = m("transpose", y, perm=(0, 3, 1, 2), shape=IMAGE)
    if order == "transpose first":
        y = m("mul", y, const_shape=(16, 1, 1))
    m("add", y, x)
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv", "conv", "layernorm", "fc", "add"]
    assert {node.shape for node in graph} == {(2, 8, 6, 16)}


def test_attention_keeps_its_transposes() -> None:
    m = Model((2, 48, 64))
    q = m(
        "transpose", m("reshape", m("fc", "x"), shape=(2, 48, 4, 16)), perm=(0, 2, 1, 3), shape=(2, 4, 48, 16)
    )
    k = m(
        "transpose", m("reshape", m("fc", "x"), shape=(2, 48, 4, 16)), perm=(0, 2, 3, 1), shape=(2, 4, 16, 48)
    )
    y = m("softmax", m("matmul", q, k, shape=(2, 4, 48, 48)), axis=-1)
    graph = m.graph()
    assert all_ops(graph).count("transpose") == 2
    assert graph[k].attrs["perm"] == (0, 2, 3, 1)
    assert graph[y].shape == (2, 4, 48, 48)
    assert graph.input_shapes(graph["matmul_7"]) == ((2, 4, 48, 16), (2, 4, 16, 48))


def test_input_that_is_channels_last_in_the_source_stays() -> None:
    m = Model((2, 8, 6, 16))
    m.conv(m("transpose", "x", perm=(0, 3, 1, 2), shape=IMAGE))
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv"]
    assert graph.inputs[0].shape == (2, 8, 6, 16)


def test_gate_of_fc_layers_meets_the_image() -> None:
    m = Model()
    x = m.conv("x")
    pooled = m("reduce_mean", x, axes=(2, 3), keepdims=False, shape=(2, 16))
    gate = m("reshape", m("sigmoid", m("fc", pooled)), shape=(2, 16, 1, 1))
    y = m("mul", x, gate)
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv", "reduce_mean", "fc", "sigmoid", "reshape", "mul"]
    assert graph["reduce_mean_2"].attrs == {"axes": (1, 2), "keepdims": False}
    assert graph.input_shapes(graph[y]) == ((2, 8, 6, 16), (2, 1, 1, 16))


def test_operand_of_lower_rank_is_lifted() -> None:
    m = Model()
    x = m.conv("x")
    m.nodes.append(Node("w", "input", outputs=((16, 1, 1),)))
    y = m("mul", x, "w")
    graph = m.graph()
    assert graph.input_shapes(graph[y]) == ((2, 8, 6, 16), (1, 1, 1, 16))


def test_one_dimensional_convs_have_a_width_of_one() -> None:
    m = Model((2, 16, 48))
    y = m("relu", m("bn", m.conv("x")))
    y = m("fc", m("transpose", y, perm=(0, 2, 1), shape=(2, 48, 16)), shape=(2, 48, 4))
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv", "relu", "fc"]
    assert graph.nodes[1].shape == (2, 48, 1, 16)
    assert graph[y].shape == (2, 48, 1, 4)


def test_channel_shuffle_and_group_norm_in_channels_first_spelling() -> None:
    m = Model()
    y = m("reshape", m.conv("x"), shape=(2, 4, 4, 8, 6))
    y = m("reshape", m("transpose", y, perm=(0, 2, 1, 3, 4)), shape=IMAGE)
    y = m("instancenorm", m("reshape", y, shape=(2, 4, 192)))
    y = m("add", m("mul", m("reshape", y, shape=IMAGE), const_shape=(16, 1, 1)), const_shape=(16, 1, 1))
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv", "channelshuffle", "groupnorm"]
    assert graph.nodes[2].attrs == graph.nodes[3].attrs == {"groups": 4}
    assert graph[y].shape == (2, 8, 6, 16)


def test_unshuffled_channels_of_an_image_are_really_transposed() -> None:
    m = Model()
    y = m("reshape", m.conv("x"), shape=(2, 16, 4, 2, 3, 2))
    y = m("transpose", y, perm=(0, 3, 5, 1, 2, 4), shape=(2, 2, 2, 16, 4, 3))
    y = m.conv(m("reshape", y, shape=(8, 16, 4, 3)))
    graph = m.graph()
    assert "transpose" in all_ops(graph)
    assert graph[y].shape == (8, 4, 3, 16)


def test_unknown_op_keeps_its_name_and_gets_no_transpose() -> None:
    m = Model()
    y = m("NotAnOp", m.conv("x"), secret=1)
    m("relu", y)
    graph = m.graph()
    assert all_ops(graph) == ["input", "conv", "NotAnOp", "relu"]
    assert graph[y].shape == (2, 8, 6, 16)


def test_lone_activation_is_on_an_image_and_a_lone_matrix_is_not() -> None:
    image, rows = Model(), Model()
    image("relu", "x")
    rows("fc", "x", shape=(2, 16, 8, 4))
    assert image.graph().inputs[0].shape == (2, 8, 6, 16)
    assert rows.graph().inputs[0].shape == IMAGE


def test_reshape_to_another_size_is_refused() -> None:
    m = Model()
    m("reshape", "x", shape=(2, 5))
    with pytest.raises(GraphError, match="'reshape_1' reshapes"):
        m.graph()


def test_reshape_to_the_size_it_has_leaves_an_input_an_image() -> None:
    m = Model()
    m.conv(m("reshape", "x", shape=IMAGE))
    assert all_ops(m.graph()) == ["input", "conv"]
    tokens = Model()
    tokens.conv(tokens("reshape", tokens("reshape", "x", shape=IMAGE), shape=(2, 8, 16, 6)))
    assert "transpose" in all_ops(tokens.graph())
