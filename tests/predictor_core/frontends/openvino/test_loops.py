"""Layers with bodies, as OpenVINO writes them: unrolled where the count is known, else refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor_core.budget import limits
from predictor_core.errors import GraphError, ModelFormatError, PredictorError, UnsupportedOpError
from predictor_core.frontends.openvino import load
from tests.predictor_core.frontends.openvino.ir import layer, net

Models = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "ops"),
    [
        ("body_iterator", {"input": 2, "slice": 5, "fc": 5, "add": 5, "tanh": 5, "concat": 1}),
        ("body_loop", {"input": 1, "matmul": 3, "relu": 3}),
        # The second turn finds the condition false.
        ("body_loop_condition", {"input": 1, "matmul": 2, "relu": 2}),
        ("body_if_true", {"input": 1, "relu": 2, "add": 1}),
        ("body_if_false", {"input": 1, "tanh": 1}),
    ],
)
def test_what_is_known_is_unrolled(model: Models, name: str, ops: dict[str, int]) -> None:
    assert Counter(node.op for node in load(model(name))) == ops


def test_an_iterator_needs_no_bin(model: Models, tmp_path: Path) -> None:
    alone = tmp_path / "alone.xml"
    alone.write_bytes(model("body_iterator").read_bytes())
    graph, whole = load(alone), load(model("body_iterator"))
    assert [node.op for node in graph] == [node.op for node in whole]
    # All states, and the last one.
    assert [graph.shape(tensor) for tensor in graph.outputs] == [(1, 5, 8), (1, 1, 8)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("body_loop_of_data", "a loop runs as often as its data say"),
        ("body_loop_while_data", "a loop runs as long as its data say"),
        ("body_if_of_data", "which branch runs depends on data"),
    ],
)
def test_what_depends_on_data_is_refused(model: Models, name: str, message: str) -> None:
    with pytest.raises(UnsupportedOpError, match=message):
        load(model(name))


def iterator(turns: int, body: str, maps: str = "") -> str:
    """Return a network whose iterator goes through as many steps."""
    shape = (turns, 8)
    maps = maps or '<input external_port_id="0" internal_layer_id="0" axis="0"/>'
    inside = f"<port_map>{maps}</port_map>{body}"
    layers = [
        layer(0, "Parameter", [], [shape], shape=f"{turns},8", element_type="f32"),
        layer(1, "TensorIterator", [shape], [shape], inside=inside),
        layer(2, "Result", [shape], []),
    ]
    return net(layers, [(0, 0, 1, 0), (1, 1, 2, 0)])


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (iterator(5, ""), GraphError, "lacks its <body>"),
        (iterator(10_001, net([], [], tag="body")), UnsupportedOpError, "runs 10001 times; 1 to 10000"),
        (
            iterator(5, net([layer(0, "Parameter", [], [(1, 8)])], [], tag="body"), maps="<input/>"),
            PredictorError,
            "layer 'TensorIterator_1'",
        ),
        (
            iterator(
                5,
                net(
                    [layer(0, "Parameter", [], [(1, 8)]), layer(3, "Parameter", [], [(1, 8)])], [], tag="body"
                ),
            ),
            GraphError,
            "nothing is handed to this input of a body",
        ),
    ],
)
def test_bodies_that_are_none(tmp_path: Path, text: str, error: type[PredictorError], message: str) -> None:
    path = tmp_path / "model.xml"
    path.write_text(text)
    with pytest.raises(error, match=message) as found:
        load(path)
    assert len(str(found.value).splitlines()) == 1


def test_loops_inside_of_loops_stay_within_the_budget(tmp_path: Path) -> None:
    """A few lines that ask for 10,000 times 10,000 turns."""
    turns = 10_000
    innermost = net([layer(0, "Parameter", [], [(1, 8)])], [], tag="body")
    maps = '<port_map><input external_port_id="0" internal_layer_id="0" axis="0"/></port_map>'
    inner = layer(1, "TensorIterator", [(turns, 8)], [(turns, 8)], inside=maps + innermost)
    outer = net([layer(0, "Parameter", [], [(turns, 8)]), inner], [(0, 0, 1, 0)], tag="body")
    path = tmp_path / "model.xml"
    path.write_text(iterator(turns, outer, '<input external_port_id="0" internal_layer_id="0"/>'))
    path.write_text(iterator(turns, outer))
    with limits(nodes=2_000), pytest.raises(ModelFormatError, match="more than 2000 nodes"):
        load(path)
