"""Messages of TensorFlow, read by a descriptor of the fields that matter."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from predictor_core.budget import limits, metered
from predictor_core.errors import MissingDependencyError, ModelFormatError
from predictor_core.frontends.tensorflow import descriptor
from predictor_core.frontends.tensorflow.messages import NodeDef, read_model
from tests.predictor_core.frontends import protobuf as pb


def node(*nodes: bytes) -> NodeDef:
    graph, signatures = read_model(pb.graph(*nodes))
    assert signatures is None
    (found,) = graph.nodes.values()
    return found


def test_attributes_by_type() -> None:
    shape = (7, pb.shape([-1, 3]))
    found = node(pb.node("y", "Op", ["x", "^c"], s="SAME", i=-3, b=True, l=[1, -2], t=(6, 9), shape=shape))
    assert (found.name, found.op, found.inputs) == ("y", "Op", ["x", "^c"])
    assert (found.string("s"), found.integer("i"), found.boolean("b")) == ("SAME", -3, True)
    assert (found.integers("l"), found.type("t"), found.shape()) == ((1, -2), 9, (-1, 3))
    # Absent, or of another type.
    assert (found.string("i", "VALID"), found.integer("s", 7), found.integers("b")) == ("VALID", 7, ())
    assert (found.shape("other"), found.function()) == (None, "")


def test_fields_that_no_one_needs_are_skipped() -> None:
    found = node(pb.node("y", "Op") + pb.field(4, "/device:GPU:0") + pb.field(99, b"\xff" * 10))
    assert found.op == "Op"


@pytest.mark.parametrize(
    ("dims", "values", "expected"),
    [([2], [5, 6], [5, 6]), ([3], [7], [7, 7, 7]), ([], [4], 4), ([0], [], [])],
)
def test_values_of_small_constants(dims: list[int], values: list[int], expected: Any) -> None:
    array = node(pb.const("c", dims, values)).tensor().values()
    assert array is not None
    assert array.tolist() == expected


def test_weights_are_left_out_before_anything_is_parsed() -> None:
    tensor = pb.field(1, 3) + pb.field(2, pb.shape([2**18])) + pb.field(4, bytes(2**20))
    with limits(memory_bytes=1000), metered():
        found = node(pb.node("c", "Const", value=(8, tensor))).tensor()
    assert found.shape == (2**18,)
    assert found.values() is None


def test_content_of_another_length_is_refused() -> None:
    tensor = pb.field(1, 3) + pb.field(2, pb.shape([2])) + pb.field(4, np.arange(3, dtype="<i4").tobytes())
    with pytest.raises(ModelFormatError, match="has 12 bytes"):
        node(pb.node("c", "Const", value=(8, tensor))).tensor().values()
    with pytest.raises(ModelFormatError, match="has 3 values"):
        node(pb.const("c", [2], [1, 2, 3])).tensor().values()


def test_a_graph_over_the_budget_is_refused() -> None:
    content = pb.graph(*(pb.node(f"n{i}", "Op") for i in range(100)))
    with limits(memory_bytes=1000), metered(), pytest.raises(ModelFormatError, match="memory_bytes"):
        read_model(content)


def test_without_protobuf_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor.message_class.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(MissingDependencyError, match=r"\[tensorflow\]"):
        descriptor.message_class("Graph")
