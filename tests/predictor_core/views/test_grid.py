from __future__ import annotations

import pytest

from predictor_core.text import printable
from predictor_core.views.grid import grid


def test_cells_are_wrapped_and_nothing_is_lost() -> None:
    table = grid([["name", "ms"], ["abcdefghijklmnopqrst", "1.25"], ["b", "10.5"]], right=(1,), width=18)
    assert table.splitlines() == [
        "name            ms",
        "abcdefghijkl  1.25",
        "mnopqrst",
        "b             10.5",
    ]


def test_without_a_width_rows_stay_rows() -> None:
    assert grid([["a", "b"], ["x" * 300, "y"]]).splitlines()[1] == f"{'x' * 300}  y"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 模型", "größe 模型"),
        ("a\nb\x1b[2J", r"a\nb\x1b[2J"),
        ("a\u202eb", r"a\u202eb"),
        ("\udc80", r"\udc80"),
    ],
)
def test_names_forge_nothing(text: str, shown: str) -> None:
    assert printable(text) == shown
