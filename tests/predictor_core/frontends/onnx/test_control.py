"""Loops whose count is known are unrolled, with the sequences of tensors that they fill."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.macs import graph_macs
from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.common.loops import MAX_TURNS
from predictor_core.frontends.reading import to_graph

onnx = pytest.importorskip("onnx")
helper = onnx.helper
FLOAT, INT, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL

TURNS, WIDTH = 5, 8
#: Multiply-accumulates of one turn of `_cell`.
CELL = 2 * WIDTH * WIDTH


def _info(name: str, dtype: int = FLOAT, shape: Any = None) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def _constants(**arrays: Any) -> list[Any]:
    return [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]


def _model(nodes: Sequence[Any], **constants: Any) -> Any:
    weights = np.zeros((WIDTH, WIDTH), np.float32)
    graph = helper.make_graph(
        nodes,
        "g",
        [_info("x", FLOAT, [TURNS, 1, WIDTH])],
        [_info("y")],
        _constants(w=weights, u=weights, h0=np.zeros((1, WIDTH), np.float32), **constants),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def _cell(part: str) -> list[Any]:
    """h = tanh(part W + h0 U); h0 begins with zeros."""
    return [
        helper.make_node("MatMul", [part, "w"], ["a"]),
        helper.make_node("MatMul", ["h", "u"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Tanh", ["c"], ["h_out"]),
        helper.make_node("Identity", ["h_out"], ["h_kept"]),
    ]


def _loop(goes_on: Sequence[Any] = (), inputs: Sequence[str] = ("m", "", "h0")) -> Any:
    body = helper.make_graph(
        [
            helper.make_node("Gather", ["x", "i"], ["part"], axis=0),
            *_cell("part"),
            *(goes_on or [helper.make_node("Identity", ["go"], ["go_out"])]),
        ],
        "body",
        [_info("i", INT, []), _info("go", BOOL, []), _info("h")],
        [_info("go_out", BOOL, []), _info("h_out"), _info("h_kept")],
    )
    return helper.make_node("Loop", list(inputs), ["last", "y"], name="turns", body=body)


def test_a_loop_is_unrolled_and_its_first_turn_costs_what_the_others_do() -> None:
    graph = to_graph(_model([_loop()], m=np.int64(TURNS)), "onnx")
    assert graph_macs(graph) == TURNS * CELL
    ops = Counter(node.op for node in graph)
    assert (ops["fc"], ops["tanh"], ops["stack"]) == (2 * TURNS, TURNS, 1)
    assert next(node.outputs for node in graph if node.op == "stack") == ((TURNS, 1, WIDTH),)


def test_a_loop_runs_as_often_as_a_shape_says() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "m"], ["turns"]),
        _loop(inputs=("turns", "", "h0")),
    ]
    model = _model(nodes, m=np.int64(0))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "turns"
    graph = to_graph(model, "onnx", input_shape=(3, 1, WIDTH))
    assert graph_macs(graph) == 3 * CELL


def test_a_loop_ends_where_its_condition_says() -> None:
    goes_on = [helper.make_node("Less", ["i", "two"], ["go_out"])]
    graph = to_graph(_model([_loop(goes_on, ("", "", "h0"))], two=np.int64(2)), "onnx")
    assert graph_macs(graph) == 3 * CELL


def test_loops_of_unknown_count_are_refused_in_a_sentence() -> None:
    by_data = [
        helper.make_node("ReduceMax", ["h_out"], ["most"], keepdims=0),
        helper.make_node("Less", ["most", "one"], ["go_out"]),
    ]
    for model, reason in (
        (_model([_loop(by_data)], m=np.int64(TURNS), one=np.float32(1)), "'turns' .Loop.*as its data say"),
        (_model([_loop(inputs=("", "", "h0"))]), f"'turns' .Loop.*more than {MAX_TURNS}"),
    ):
        with pytest.raises(UnsupportedOpError, match=reason):
            to_graph(model, "onnx")


def test_a_body_takes_as_many_inputs_as_it_is_given() -> None:
    with pytest.raises(GraphError, match=r"'turns' .Loop. gives 2 inputs to a graph that takes 3"):
        to_graph(_model([_loop(inputs=("m", ""))], m=np.int64(TURNS)), "onnx")


def test_a_scan_is_unrolled() -> None:
    body = helper.make_graph(
        _cell("part"), "body", [_info("h"), _info("part")], [_info("h_out"), _info("h_kept")]
    )
    attrs = {"body": body, "num_scan_inputs": 1, "scan_output_axes": [1]}
    node = helper.make_node("Scan", ["h0", "x"], ["last", "y"], **attrs)
    graph = to_graph(_model([node]), "onnx")
    assert graph_macs(graph) == TURNS * CELL
    assert next(node.outputs for node in graph if node.op == "stack") == ((1, TURNS, WIDTH),)


def _sequence_model(last: Sequence[Any]) -> Any:
    nodes = [
        helper.make_node("SplitToSequence", ["x"], ["rows"], axis=0, keepdims=0),
        helper.make_node("SequenceAt", ["rows", "minus"], ["row"]),
        helper.make_node("Relu", ["row"], ["r"]),
        helper.make_node("SequenceErase", ["rows", "first"], ["fewer"]),
        helper.make_node("SequenceInsert", ["fewer", "r", "minus"], ["full"]),
        helper.make_node("SequenceInsert", ["full", "r"], ["more"]),
        *last,
    ]
    return _model(nodes, minus=np.int64(-1), first=np.int64(0))


def test_sequences_hold_the_values_of_their_tensors() -> None:
    join = helper.make_node("ConcatFromSequence", ["more"], ["y"], axis=1, new_axis=1)
    model = _sequence_model([join])
    graph = to_graph(model, "onnx")
    assert Counter(node.op for node in graph) == {
        "input": 1,
        "split": 1,
        # That of the row that is erased is not read.
        "reshape": TURNS - 1,
        "relu": 1,
        "stack": 1,
    }
    runtime = pytest.importorskip("onnxruntime")
    model.ir_version = 8
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.zeros((TURNS, 1, WIDTH), np.float32)})
    assert graph.outputs
    assert next(node.outputs for node in graph if node.op == "stack") == (found.shape,)


def test_the_length_of_a_sequence_is_a_number() -> None:
    nodes = [
        helper.make_node("SequenceLength", ["more"], ["n"]),
        helper.make_node("Reshape", ["n", "whole"], ["sizes"]),
        helper.make_node("Expand", ["r", "sizes"], ["y"]),
    ]
    model = _sequence_model(nodes)
    model.graph.initializer.extend(_constants(whole=np.array([1], np.int64)))
    with pytest.raises(GraphError, match="Expand"):
        # Six tensors: a row of eight can't be expanded to six.
        to_graph(model, "onnx")


def test_what_has_no_elements_is_a_constant() -> None:
    nodes = [
        helper.make_node("Slice", ["x", "none", "none", "axis"], ["empty"]),
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Concat", ["r", "empty"], ["y"], axis=2),
    ]
    graph = to_graph(_model(nodes, none=np.array([0]), axis=np.array([2])), "onnx")
    assert [node.op for node in graph if node.op != "concat"] == ["input", "relu"]
    nodes[2] = helper.make_node("Relu", ["empty"], ["y"])
    with pytest.raises(ModelFormatError, match="nothing to predict"):
        to_graph(_model(nodes, none=np.array([0]), axis=np.array([2])), "onnx")


@pytest.mark.filterwarnings("ignore")
def test_a_scripted_loop_of_torch() -> None:
    torch = pytest.importorskip("torch")

    class Steps(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.w, self.u = torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, WIDTH)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.zeros(1, 8)
            found = []
            for part in range(x.size(0)):
                h = torch.tanh(self.w(x[part]) + self.u(h))
                found.append(h)
            return torch.stack(found)

    script = torch.jit.script(Steps().eval())
    buffer = io.BytesIO()
    torch.onnx.export(script, (torch.zeros(TURNS, 1, WIDTH),), buffer, opset_version=17, dynamo=False)
    proto = onnx.load_model_from_string(buffer.getvalue())
    assert {"Loop", "SequenceEmpty", "ConcatFromSequence"} <= {node.op_type for node in proto.graph.node}
    for model, kind in ((proto, "onnx"), (script, "torch")):
        assert graph_macs(to_graph(model, kind, input_shape=(TURNS, 1, WIDTH))) == TURNS * CELL
