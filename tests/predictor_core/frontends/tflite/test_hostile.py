"""Files that ask for more than they hold (shared vectors, loops, calls of calls) end at the budget."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from predictor_core.budget import limits
from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.tflite import load
from predictor_core.frontends.tflite.flexbuffer import integers
from tests.predictor_core.frontends.tflite.flat import Flat, model

RELU, CALL, WHILE, UNPACK, ADD_N = 19, 31, 119, 88, 106


def written(tmp_path: Path, flat: Flat) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(flat.content())
    return path


def test_a_file_by_hand_is_read(tmp_path: Path) -> None:
    flat = model(RELU, ["main"])
    flat.table("main", "tensors", "in", "out", "operators")
    flat.vector("tensors", ["t", "t"])
    flat.vector("operators", ["operator"])
    flat.table("operator", 0, "in", "out")
    assert [node.op for node in load(written(tmp_path, flat))] == ["input", "relu"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.tflite"
    os.mkfifo(path)
    with pytest.raises(ModelFormatError, match="is a pipe, socket or device"):
        load(path)


def test_subgraphs_that_share_their_tensors(tmp_path: Path) -> None:
    """A vector of 5,000 tensors that 300 subgraphs point to: 1.5 million tensors in 60 KB."""
    count = 300
    flat = model(CALL, ["main", *(f"s{index}" for index in range(count))])
    flat.table("main", "tensors", "in", "in", "operators")
    flat.vector("tensors", ["t"] * 5_000)
    flat.vector("operators", [f"operator{index}" for index in range(count)])
    flat.vector("none", [])
    for index in range(count):
        flat.table(f"operator{index}", 0, "in", "in", None, f"options{index}")
        flat.table(f"options{index}", index + 1)
        flat.table(f"s{index}", "tensors", "in", "in", "none")
    path = written(tmp_path, flat)
    assert path.stat().st_size < 100_000
    with limits(memory_bytes=2**25), pytest.raises(ModelFormatError, match="of the budget"):
        load(path)


def test_calls_of_calls(tmp_path: Path) -> None:
    """Each of 20 subgraphs calls the next one a hundred times."""
    count = 20
    flat = model(CALL, [f"s{index}" for index in range(count)])
    flat.vector("tensors", ["t"])
    for index in range(count):
        flat.table(f"s{index}", "tensors", "in", "in", f"operators{index}")
        flat.vector(f"operators{index}", [f"operator{index}"] * (100 if index < count - 1 else 0))
        flat.table(f"operator{index}", 0, "in", "in", None, f"options{index}")
        flat.table(f"options{index}", index + 1)
    with limits(nodes=5_000), pytest.raises(ModelFormatError, match="more than 5000 nodes"):
        load(written(tmp_path, flat))


def test_a_subgraph_that_calls_itself(tmp_path: Path) -> None:
    flat = model(CALL, ["main"])
    flat.table("main", "tensors", "in", "in", "operators")
    flat.vector("tensors", ["t"])
    flat.vector("operators", ["operator"])
    flat.table("operator", 0, "in", "in", None, "options")
    flat.table("options", 0)
    with pytest.raises(ModelFormatError, match="call each other more than 64 deep"):
        load(written(tmp_path, flat))


def test_a_loop_without_end(tmp_path: Path) -> None:
    """The condition is a constant, and neither subgraph has an operator."""
    flat = model(WHILE, ["main", "condition", "body"])
    flat.vector("buffers", ["buffer", "numbers"])
    flat.table("numbers", "one")
    flat.vector("one", [1])
    flat.table("true", None, 6, 1)
    flat.vector("tensors", ["t", "true"])
    flat.vector("none", [])
    flat.table("main", "tensors", "in", "in", "operators")
    flat.table("condition", "tensors", "in", "out", "none")
    flat.table("body", "tensors", "in", "in", "none")
    flat.vector("operators", ["operator"])
    flat.table("operator", 0, "in", "in", None, "options")
    flat.table("options", 1, 2)
    with pytest.raises(UnsupportedOpError, match="a loop runs more than 10000 times"):
        load(written(tmp_path, flat))


def test_operators_that_share_their_inputs(tmp_path: Path) -> None:
    flat = model(ADD_N, ["main"])
    flat.table("main", "tensors", "in", "out", "operators")
    flat.vector("tensors", ["t", "t"])
    flat.vector("reads", [0] * 10_000)
    flat.vector("operators", ["operator"] * 10_000)
    flat.table("operator", 0, "reads", "out")
    with limits(memory_bytes=2**26), pytest.raises(ModelFormatError, match="of the budget"):
        load(written(tmp_path, flat))


def test_an_op_with_more_outputs_than_the_file_says(tmp_path: Path) -> None:
    flat = model(UNPACK, ["main"])
    flat.vector("shape", [4000, 8])
    flat.table("main", "tensors", "in", "out", "operators")
    flat.vector("tensors", ["t", "t"])
    flat.vector("operators", ["operator"] * 500)
    flat.table("operator", 0, "in", "out", None, "options")
    flat.table("options", 4000, 0)
    with limits(nodes=20_000), pytest.raises(ModelFormatError, match="more than 20000 nodes"):
        load(written(tmp_path, flat))


def test_a_tensor_of_many_dimensions(tmp_path: Path) -> None:
    flat = model(RELU, ["main"])
    flat.vector("shape", [1] * 65)
    flat.table("main", "tensors", "in", "out", "operators")
    flat.vector("tensors", ["t", "t"])
    flat.vector("operators", ["operator"])
    flat.table("operator", 0, "in", "out")
    with pytest.raises(ModelFormatError, match="65 dimensions; at most 64 are accepted"):
        load(written(tmp_path, flat))


@pytest.mark.parametrize(
    "data",
    [b"\x01\x02\x03", b"\x00\x27\x01", b"\xff\x24\x01", b"\x09" * 40, bytes(40) + b"\x28\x24\x01"],
)
def test_options_that_are_no_map(data: bytes) -> None:
    try:
        assert integers(data) == {}
    except GraphError as error:
        assert "its options" in str(error)  # noqa: PT017 - either is right


def test_the_integers_of_a_map() -> None:
    # {"a": 5, "b": 300} as flexbuffers.Dumps writes it.
    pytest.importorskip("flatbuffers")
    from flatbuffers import flexbuffers

    written = bytes(flexbuffers.Dumps({"a": 5, "b": 300, "c": -2, "d": True, "e": 0.5, "f": "text"}))
    assert integers(written) == {"a": 5, "b": 300, "c": -2, "d": 1}
