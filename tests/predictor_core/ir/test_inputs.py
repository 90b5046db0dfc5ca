from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.ir.inputs import InputShapes


@pytest.mark.parametrize(
    ("given", "stated", "resolved"),
    [
        (None, (1, 8, 8, 3), (1, 8, 8, 3)),
        (None, (None, 8, 8, 3), (1, 8, 8, 3)),
        (None, (-1, 10), (1, 10)),
        ((4, 8, 8, 3), (-1, 8, 8, 3), (4, 8, 8, 3)),
        ((4, 3, 16, 8), (-1, -1, -1, 3), (4, 16, 8, 3)),
        ((3, 16, 8), (-1, -1, -1, 3), (1, 16, 8, 3)),
        ((16, 8, 3), (2, -1, -1, 3), (2, 16, 8, 3)),
        ([2, 5], None, (2, 5)),
        ({"x": (2, 5)}, (-1, -1), (2, 5)),
        ((2, 5), ("n", "n"), (2, 5)),
    ],
)
def test_one_input(given: Any, stated: Any, resolved: tuple[int, ...]) -> None:
    shapes = InputShapes(given)
    assert shapes.resolve("x", stated) == resolved
    shapes.check_all_used()


def test_several_inputs_by_order_and_by_name() -> None:
    for given in ([(1, 4), (1, 6)], {"b": (1, 6), "a": (1, 4)}):
        shapes = InputShapes(given)
        assert shapes.resolve("a", (-1, -1)) == (1, 4)
        assert shapes.resolve("b", None) == (1, 6)
        shapes.check_all_used()


@pytest.mark.parametrize(
    ("given", "stated", "message"),
    [
        (None, (1, -1, 3), r"'x' has the open shape \[1, \?, 3\]"),
        (None, None, "'x' states no shape"),
        ((1, 4), (1, 5), r"\[1, 5\], which input_shape \[1, 4\] does not fit"),
        ((1, 4), (1, 4, 1), "does not fit"),
    ],
)
def test_what_can_not_be_resolved(given: Any, stated: Any, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        InputShapes(given).resolve("x", stated)


@pytest.mark.parametrize(
    "given",
    [
        "big",
        3,
        (0, 4),
        (1, -4),
        [(1, 2), "x"],
        {"x": 3},
        (),
        [],
        (1.5, 3),
        (True, 3),
        [(1, 3), 4],
        np.array(3),
    ],
)
def test_what_is_no_shape(given: Any) -> None:
    with pytest.raises(ModelFormatError, match="expected positive integers"):
        InputShapes(given).resolve("x", (1, -1))


@pytest.mark.parametrize("given", [(1, 2**31), (2**62, 2), (2**64,), {"x": (2**21, 2**20)}])
def test_what_is_larger_than_a_tensor(given: Any) -> None:
    with pytest.raises(ModelFormatError, match=r"input_shape has .*; a dimension is at most 2147483647, and"):
        InputShapes(given)


@pytest.mark.parametrize(
    ("given", "message"), [({"y": (1, 4)}, "names 'y'.*: x"), ([(1, 4), (1, 4)], "1 more")]
)
def test_what_no_input_takes(given: Any, message: str) -> None:
    shapes = InputShapes(given)
    shapes.resolve("x", (1, 4))
    with pytest.raises(ModelFormatError, match=message):
        shapes.check_all_used()


@pytest.mark.parametrize(
    "stated", [(1, -5, 8, 3), (1, 0, 8, 3), (1, 10**12, 8, 3), (1, 8.5, 8, 3), (1, "8", 8, 3)]
)
def test_dimensions_that_can_not_be_are_refused_where_they_are_stated(stated: Any) -> None:
    with pytest.raises(GraphError, match="input 'x' has the shape"):
        InputShapes(None).resolve("x", stated)


def test_shapes_of_numpy() -> None:
    assert InputShapes(np.array([2, 8])).resolve("x", (None, 8)) == (2, 8)
    resolved = InputShapes(None).resolve("x", tuple(np.array([2, 8])))
    assert resolved == (2, 8)
    assert all(type(dim) is int for dim in resolved)


@pytest.mark.parametrize(
    ("given", "stated", "resolved"),
    [
        ((4, 16, 8, 3), ("n", 3, "h", "w"), (4, 3, 16, 8)),
        ((16, 8, 3), (2, 3, -1, -1), (2, 3, 16, 8)),
        ((4, 3, 16, 8), ("n", 3, "h", "w"), (4, 3, 16, 8)),
    ],
)
def test_channels_first_models_take_both_orders(given: Any, stated: Any, resolved: tuple[int, ...]) -> None:
    assert InputShapes(given, channels_last=False).resolve("x", stated) == resolved


def test_a_symbol_has_one_value_in_all_inputs() -> None:
    shapes = InputShapes({"b": (6, 5)}, ["a", "b"])
    for name, stated in (("a", ("n", 3)), ("b", ("n", 5))):
        shapes.bind(name, stated)
    assert shapes.resolve("a", ("n", 3)) == (6, 3)
    assert shapes.resolve("b", ("n", 5)) == (6, 5)
    assert shapes.warnings == []


def test_an_open_batch_is_one_and_is_told() -> None:
    shapes = InputShapes(None)
    assert shapes.resolve("x", ("n", 3, 8, 8)) == (1, 3, 8, 8)
    assert shapes.resolve("y", ("n", "n")) == (1, 1)
    assert shapes.warnings == ["input 'x' leaves the batch open; 1 is taken (input_shape sets another)"]
