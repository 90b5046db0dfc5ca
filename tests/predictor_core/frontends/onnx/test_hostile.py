"""ONNX files that are made to break their reader."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core.errors import GraphError, ModelFormatError, PredictorError
from predictor_core.frontends.common.file import FileBytes, opened
from predictor_core.frontends.reading import to_graph

onnx = pytest.importorskip("onnx")
helper = onnx.helper
FLOAT = onnx.TensorProto.FLOAT


def _model(nodes: Sequence[Any], constants: Sequence[Any] = (), functions: Sequence[Any] = ()) -> Any:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions)


def _constant(name: str, value: Any, dtype: Any) -> Any:
    return onnx.numpy_helper.from_array(np.array(value, dtype), name)


def _node(op: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), **attrs: Any) -> Any:
    return helper.make_node(op, list(inputs), list(outputs), name=f"n_{op}", **attrs)


def _unknown(name: str) -> Any:
    model = _model([_node(name, ["x"], domain="my")])
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, [1, 3, 8, 8]))
    return model


@pytest.mark.parametrize("name", ["conv", "lstm", "se", "transpose", "groupconv", "Einsum"])
def test_an_unknown_op_is_not_taken_for_a_canonical_one(name: str) -> None:
    assert [node.op for node in to_graph(_unknown(name), "onnx")] == ["input", f"custom:{name}"]


@pytest.mark.parametrize("op", ["Relu", "Shape", "Reshape", "If", "Constant"])
def test_ops_of_other_domains_are_not_those_of_onnx(op: str) -> None:
    assert [node.op for node in to_graph(_unknown(op), "onnx")] == ["input", op]


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([_node("Resize", ["x", "", "s"])], [_constant("s", [1, 1, np.inf, 1], np.float32)]),
        ([_node("Softmax", ["x"], axis=1.5)], []),
        ([_node("Split", ["x"], ["y", "z"], axis=1, num_outputs=2**62)], []),
        ([_node("Shape", ["x"], ["s"], end="a"), _node("Reshape", ["x", "s"])], []),
        ([_node("If", ["c"], then_branch=3, else_branch=4)], [_constant("c", True, bool)]),
        (
            [_node("Conv", ["x", "w"], group=-3)],
            [onnx.TensorProto(name="w", dims=[6, -1, 3, 3], data_type=1)],
        ),
    ],
)
def test_malformed_nodes_are_named(nodes: Sequence[Any], constants: Sequence[Any]) -> None:
    with pytest.raises(GraphError, match=f"node '{nodes[0].name}'"):
        to_graph(_model(nodes, constants), "onnx")


def test_constants_that_would_fill_the_memory_are_not_computed() -> None:
    shapes = [_constant(name, shape, np.int64) for name, shape in zip("abc", 4095 * np.eye(3, dtype=int) + 1)]
    made = [
        _node("ConstantOfShape", [name], [name * 2], value=helper.make_tensor("v", 7, [1], [3]))
        for name in "abc"
    ]
    nodes = [*made, _node("Max", ["aa", "bb", "cc"], ["big"]), _node("Relu", ["x"])]

    assert [node.op for node in to_graph(_model(nodes, shapes), "onnx")] == ["input", "relu"]


def test_functions_that_double_are_refused_at_once() -> None:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    functions = [
        helper.make_function("my", "F0", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], opset)
    ]
    for level in range(1, 41):
        calls = [
            helper.make_node(f"F{level - 1}", [first], [then], domain="my")
            for first, then in (("a", "t"), ("t", "b"))
        ]
        functions.append(helper.make_function("my", f"F{level}", ["a"], ["b"], calls, opset))

    with pytest.raises(ModelFormatError, match="nodes with its functions inlined"):
        to_graph(_model([_node("F40", ["x"], domain="my")], functions=functions), "onnx")


def test_a_function_that_calls_itself_is_refused() -> None:
    call = helper.make_node("F", ["a"], ["b"], domain="my")
    function = helper.make_function("my", "F", ["a"], ["b"], [call], [helper.make_opsetid("my", 1)])

    with pytest.raises(GraphError, match="'F' of the model calls itself"):
        to_graph(_model([_node("F", ["x"], domain="my")], functions=[function]), "onnx")


def test_a_long_dead_branch_is_dropped() -> None:
    nodes = [_node("Relu", ["x"])]
    nodes += [helper.make_node("Relu", ["x" if i == 0 else f"t{i - 1}"], [f"t{i}"]) for i in range(3000)]

    assert len(to_graph(_model(nodes), "onnx")) == 2


def test_control_flow_without_a_body_does_not_reach_onnx() -> None:
    with pytest.raises(GraphError, match=r"Scan.*lacks the graph"):
        to_graph(_model([_node("Scan", ["x"])]), "onnx")


@pytest.mark.slow
def test_a_shape_of_two_billion_dimensions_is_not_made() -> None:
    shape = onnx.TensorProto(name="s", dims=[2**31 - 1], data_type=7)
    with pytest.raises(ModelFormatError, match="unknown"):
        to_graph(_model([_node("Expand", ["x", "s"])], [shape]), "onnx")


def test_zeros_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "zeros.onnx"
    path.write_bytes(bytes(2**20))

    with pytest.raises(ModelFormatError, match="starts no protobuf field"):
        to_graph(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.onnx"
    os.mkfifo(path)

    with pytest.raises(PredictorError, match="a pipe, socket or device"):
        to_graph(path)


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"1" * 1_000_000)

    with path.open("rb") as file:
        content = FileBytes(file, 1_000_000)
        assert (content[999], content[2:4], len(content)) == (49, b"11", 1_000_000)
        path.write_bytes(b"1" * 10)
        with pytest.raises(ModelFormatError, match="shorter while it was read"):
            content[900_000:900_010]


def test_a_large_file_that_changes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictor_core.frontends.common.file.WHOLE_BYTES", 10)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"1" * 1000)

    def read() -> None:
        with opened(path, "a model") as content:
            assert isinstance(content, FileBytes)
            path.write_bytes(b"1" * 900)

    with pytest.raises(ModelFormatError, match="changed while it was read"):
        read()
