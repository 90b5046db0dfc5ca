"""Custom ops by their names, and a branch that is known in advance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.tflite import load

Models = Callable[[str], Path]


def test_mediapipes_ops_are_read_by_their_structs(model: Models) -> None:
    graph = load(model("written_custom_ops"))
    shapes = {node.name: (node.op, node.outputs) for node in graph}
    assert shapes == {
        "image": ("input", ((1, 16, 12, 8),)),
        "pooled": ("maxpool", ((1, 8, 6, 8),) * 2),
        "relu": ("relu", ((1, 8, 6, 8),)),
        "unpooled": ("MaxUnpool", ((1, 16, 12, 8),)),
        "up": ("convtranspose", ((1, 32, 24, 4),)),
        "valid": ("convtranspose", ((1, 66, 50, 2),)),
        "foreign": ("SomebodysOp", ((1, 66, 50, 2),)),
    }
    assert graph["up"].attrs["kernel"] == (3, 3)
    assert graph["valid"].attrs == {**graph["up"].attrs, "kernel": (4, 4), "pads": (0, 0, 0, 0)}
    assert graph["unpooled"].inputs == ("relu", "pooled:1")


def test_a_custom_op_that_is_not_known_is_named(model: Models) -> None:
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    warnings = predictor.profile(model("written_custom_ops")).warnings
    assert any("unknown ops" in warning and "SomebodysOp" in warning for warning in warnings)
    with pytest.raises(UnsupportedOpError, match="SomebodysOp"):
        predictor.predict(model("written_custom_ops"), strict=True)


def test_detections_have_as_many_boxes_as_the_options_say(model: Models) -> None:
    """The file states no shape of what the op gives."""
    graph = load(model("written_detector"))
    assert graph["found"].op == "NonMaxSuppression"
    assert graph["found"].outputs == ((1, 10, 4), (1, 10), (1, 10), (1,))
    assert [node.op for node in graph] == ["input", "input", "mul", "add", "reduce_max", "NonMaxSuppression"]
    assert load_latency_predictor("cortexA76cpu_tflite21").predict(graph) > 0


def test_the_branch_of_a_constant_is_taken(model: Models) -> None:
    assert [node.op for node in load(model("written_constant_branch"))] == ["input", "relu", "relu", "relu"]
