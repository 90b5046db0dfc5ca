"""Segments: what lies between two cut vertices."""

from __future__ import annotations

from nnmeter_nni.space.segments import segments
from predictor_core.ir.graph import Graph, Node

SHAPE = (1, 8, 8, 4)


def graph(*edges: tuple[str, str]) -> Graph:
    """Graph of one-letter nodes: name and the names that it reads."""
    return Graph(
        [
            Node(name, "add" if len(reads) > 1 else "relu" if reads else "input", tuple(reads), {}, (SHAPE,))
            for name, reads in edges
        ]
    )


def test_a_chain_has_a_segment_for_every_step() -> None:
    assert segments(graph(("a", ""), ("b", "a"), ("c", "b"))) == {
        "a": ("a",),
        "b": ("a", "b"),
        "c": ("b", "c"),
    }


def test_branches_share_a_segment() -> None:
    found = segments(graph(("a", ""), ("b", "a"), ("c", "a"), ("d", "bc"), ("e", "d")))
    assert found["b"] == found["c"] == found["d"] == ("a", "b", "c", "d")
    assert found["e"] == ("d", "e")


def test_a_second_input_reaches_back_to_the_start() -> None:
    found = segments(graph(("a", ""), ("b", "a"), ("c", "b"), ("x", ""), ("d", "cx"), ("e", "d")))
    assert set(found["b"]) == set("abcxd")
    assert found["e"] == ("d", "e")


def test_a_second_output_reaches_to_the_end() -> None:
    found = segments(graph(("a", ""), ("b", "a"), ("o", "b"), ("c", "b"), ("d", "c")))
    assert found["b"] == ("a", "b")
    assert set(found["d"]) == set("bocd")
