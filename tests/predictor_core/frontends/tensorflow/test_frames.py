"""Loops of TensorFlow 1 whose count is known are unrolled, as ``tf.compat.v1.while_loop`` writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("google.protobuf")
from benchmarks.macs import graph_macs
from predictor_core.errors import GraphError, UnsupportedOpError
from predictor_core.frontends.tensorflow import load
from predictor_core.ir.graph import Graph
from tests.predictor_core.frontends import protobuf as pb


def built(tmp_path: Path, *nodes: bytes) -> Graph:
    file = tmp_path / "model.pb"
    file.write_bytes(pb.graph(*nodes))
    return load(file)


def while_loop(
    frame: str, variables: dict[str, tuple[str, str]], constants: dict[str, str], condition: str
) -> list[bytes]:
    """Return the nodes that make a loop of the body's: variable -> (before it, after a turn)."""

    def enter(name: str, source: str) -> bytes:
        return pb.node(name, "Enter", [source], frame_name=(2, frame))

    nodes = [enter(name, source) for name, source in constants.items()]
    nodes.append(pb.node(f"{frame}_cond", "LoopCond", [condition]))
    for name, (before, after) in variables.items():
        nodes += [
            enter(f"{name}_enter", before),
            pb.node(f"{name}_merge", "Merge", [f"{name}_enter", f"{name}_next"]),
            pb.node(f"{name}_switch", "Switch", [f"{name}_merge", f"{frame}_cond"]),
            pb.node(name, "Identity", [f"{name}_switch:1"]),
            pb.node(f"{name}_next", "NextIteration", [after]),
            pb.node(f"{name}_exit", "Exit", [f"{name}_switch"]),
        ]
    return nodes


def counted(count: str, to: Sequence[float]) -> list[bytes]:
    """Return the nodes of a counter, and of a condition that holds until it has come to a number."""
    return [
        pb.const(f"{count}_zero", [], [0]),
        pb.const(f"{count}_one", [], [1]),
        pb.const(f"{count}_end", [], to),
        pb.node(f"{count}_less", "Less", [f"{count}_merge", f"{count}_end"]),
        pb.node(f"{count}_sum", "AddV2", [count, f"{count}_one"]),
    ]


def test_loops_in_loops(tmp_path: Path) -> None:
    graph = built(
        tmp_path,
        pb.placeholder("x", [1, 8]),
        pb.const("w", [8, 8], dtype=1),
        *counted("i", [3]),
        *while_loop(
            "outer",
            {"i": ("i_zero", "i_sum"), "h": ("x", "h_relu")},
            {"w_outer": "w"},
            "i_less",
        ),
        pb.node("h_relu", "Relu", ["g_exit"]),
        # The inner loop runs once more than the outer one has: 1 + 2 + 3 turns.
        *counted("j", [9]),
        pb.node("j_last", "LessEqual", ["j_merge", "i_inner"]),
        *while_loop(
            "inner",
            {"j": ("j_zero", "j_sum"), "g": ("h", "g_product")},
            {"w_inner": "w_outer", "i_inner": "i"},
            "j_last",
        ),
        pb.node("g_product", "MatMul", ["g", "w_inner"]),
        pb.node("y", "Tanh", ["h_exit"]),
    )
    assert Counter(node.op for node in graph) == {"input": 1, "fc": 6, "relu": 3, "tanh": 1}
    assert graph_macs(graph) == 6 * 8 * 8


def test_arrays_of_a_recurrent_layer(tmp_path: Path) -> None:
    graph = built(
        tmp_path,
        pb.placeholder("x", [5, 1, 4]),
        pb.const("five", [], [5]),
        pb.const("rows", [5], [0, 1, 2, 3, 4]),
        pb.node("in", "TensorArrayV3", ["five"]),
        pb.node("out", "TensorArrayV3", ["five"]),
        pb.node("size", "TensorArraySizeV3", ["out", "out:1"]),
        pb.node("filled", "TensorArrayScatterV3", ["in", "rows", "x", "in:1"]),
        pb.const("h_zero", [1, 8], [0.0], dtype=1),
        pb.const("w", [12, 8], dtype=1),
        pb.const("axis", [], [1]),
        *counted("t", [5]),
        pb.node("t_before", "Less", ["t_merge", "size_loop"]),
        *while_loop(
            "rnn",
            {"t": ("t_zero", "t_sum"), "h": ("h_zero", "h_tanh"), "flow": ("out:1", "flow_write")},
            {"in_loop": "in", "filled_loop": "filled", "out_loop": "out", "w_loop": "w", "size_loop": "size"},
            "t_before",
        ),
        pb.node("row", "TensorArrayReadV3", ["in_loop", "t", "filled_loop"]),
        pb.node("both", "ConcatV2", ["row", "h", "axis"]),
        pb.node("product", "MatMul", ["both", "w_loop"]),
        pb.node("h_tanh", "Tanh", ["product"]),
        pb.node("flow_write", "TensorArrayWriteV3", ["out_loop", "t", "h_tanh", "flow"]),
        pb.node("y", "TensorArrayGatherV3", ["out", "rows", "flow_exit"]),
    )
    ops = Counter(node.op for node in graph)
    # The state that begins with zeros is an input: every turn costs alike.
    assert ops == {"input": 2, "gather": 5, "concat": 5, "fc": 5, "tanh": 5, "stack": 1}
    assert graph_macs(graph) == 5 * 12 * 8
    assert (5, 1, 8) in [graph.shape(one) for one in graph.outputs]


def test_a_loop_that_its_data_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpError, match=r"'h_enter' \(Enter\) is part of a loop .* as its data say"):
        built(
            tmp_path,
            pb.placeholder("x", [1, 8]),
            pb.const("ten", [], [10.0], dtype=1),
            pb.node("less", "Less", ["h_merge", "ten"]),
            *while_loop("loop", {"h": ("x", "h_relu")}, {}, "less"),
            pb.node("h_relu", "Relu", ["h"]),
        )


@pytest.mark.parametrize(
    "nodes",
    [
        [pb.node("m", "Merge", ["enter"]), pb.node("s", "Switch", ["m", "c"])],
        [pb.node("m", "Merge", ["enter", "none"]), pb.node("s", "Switch", ["m", "c"])],
        [pb.node("m", "Merge", [])],
        [pb.node("m", "Merge", ["enter", "next"]), pb.node("s", "Switch", ["m"])],
    ],
)
def test_loops_that_lack_something(tmp_path: Path, nodes: list[bytes]) -> None:
    with pytest.raises(GraphError, match=r"has \d inputs|which no node makes"):
        built(
            tmp_path,
            pb.placeholder("x", [1, 8]),
            pb.node("enter", "Enter", ["x"]),
            pb.node("c", "LoopCond", ["x"]),
            pb.node("next", "NextIteration", ["s:1"]),
            pb.node("y", "Exit", ["s"]),
            *nodes,
        )
