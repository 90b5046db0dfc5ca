from __future__ import annotations

from typing import Any

import pytest

from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS, Value
from predictor_core.frontends.onnx.fold import fold
from tests.onnx_factory import INT64, np, onnx

reference = pytest.importorskip("onnx.reference")

SHAPE = np.array([2, 3, 4, 5], np.int64)
TABLE = np.arange(12, dtype=np.int64).reshape(3, 4)
REALS = np.array([0.5, -1.5, 4.0], np.float32)

CASES: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("Add", [SHAPE, np.int64(2)], {}),
    ("Sub", [SHAPE, SHAPE], {}),
    ("Mul", [REALS, np.float32(3)], {}),
    ("Div", [np.array([7, -7, 9], np.int64), np.array([2, 2, -4], np.int64)], {}),
    ("Div", [REALS, np.float32(2)], {}),
    ("Mod", [SHAPE, np.int64(3)], {}),
    ("Neg", [SHAPE], {}),
    ("Abs", [REALS], {}),
    ("Floor", [REALS], {}),
    ("Ceil", [REALS], {}),
    ("Sqrt", [SHAPE.astype(np.float32)], {}),
    ("Pow", [REALS, np.float32(2)], {}),
    ("Max", [SHAPE, np.int64(3)], {}),
    ("Min", [SHAPE, np.int64(3)], {}),
    ("Equal", [SHAPE, np.int64(3)], {}),
    ("Less", [SHAPE, np.int64(3)], {}),
    ("Not", [np.array([True, False])], {}),
    ("Where", [SHAPE > 3, SHAPE, -SHAPE], {}),
    ("Cast", [REALS], {"to": INT64}),
    ("Concat", [SHAPE, SHAPE], {"axis": 0}),
    ("Gather", [SHAPE, np.int64(-1)], {"axis": 0}),
    ("Gather", [TABLE, np.array([[0, 2]], np.int64)], {"axis": 1}),
    ("Slice", [SHAPE, np.array([1]), np.array([2**62])], {}),
    ("Slice", [TABLE, np.array([-1, 0]), np.array([-9, 3]), np.array([0, 1]), np.array([-1, 2])], {}),
    ("Squeeze", [SHAPE[:1], np.array([0])], {}),
    ("Unsqueeze", [TABLE, np.array([0, -1])], {}),
    ("Reshape", [TABLE, np.array([0, 2, -1])], {}),
    ("Transpose", [TABLE], {"perm": [1, 0]}),
    ("Transpose", [TABLE], {}),
    ("Expand", [SHAPE[:1], np.array([3, 2])], {}),
    ("Tile", [SHAPE, np.array([2])], {}),
    ("Range", [np.int64(1), np.int64(9), np.int64(3)], {}),
    ("ConstantOfShape", [np.array([2, 2])], {}),
    ("Clip", [SHAPE, np.int64(2)], {}),
    ("Clip", [SHAPE, np.int64(2), np.int64(3)], {}),
    ("ReduceMean", [np.array([1.0, 2.0, 6.0], np.float32)], {"keepdims": 0}),
    ("Sign", [np.array([-3, 0, 2])], {}),
    ("Xor", [np.array([True, False]), np.array([True, True])], {}),
    ("ReduceProd", [SHAPE], {"keepdims": 0}),
    ("ReduceSum", [TABLE, np.array([1])], {}),
    ("ReduceMax", [TABLE], {"axes": [0]}),
    ("NonZero", [TABLE], {}),
    ("Identity", [TABLE], {}),
]


@pytest.mark.parametrize(
    ("op", "arrays", "attrs"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_folded_as_onnx_itself_computes(op: str, arrays: list[Any], attrs: dict[str, Any]) -> None:
    arrays = [np.asarray(array) for array in arrays]
    names = [f"i{index}" for index in range(len(arrays))]
    types = [onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for array in arrays]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, names, ["y"], **attrs)],
        "one",
        [onnx.helper.make_tensor_value_info(*item) for item in zip(names, types, [a.shape for a in arrays])],
        [onnx.helper.make_tensor_value_info("y", 0, None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    (expected,) = reference.ReferenceEvaluator(model).run(None, dict(zip(names, arrays)))
    folded = fold(op, arrays, attrs)
    assert folded is not None
    assert folded[0].dtype == expected.dtype
    np.testing.assert_array_equal(folded[0], expected)


def test_bounds_may_be_attributes_and_absent() -> None:
    (clipped,) = fold("Clip", [np.array([-1.0, 7.0])], {"min": 0.0}) or ()
    assert clipped.tolist() == [0.0, 7.0]
    (clipped,) = fold("Clip", [np.array([-1, 7]), None, np.int64(6)], {}) or ()
    assert clipped.tolist() == [-1, 6]
    (clipped,) = fold("Clip", [np.array([-1, 7])], {}) or ()
    assert clipped.tolist() == [-1, 7]


def test_a_quantised_number_is_the_float_that_it_stands_for() -> None:
    (half,) = fold("DequantizeLinear", [np.uint8(255), np.float32(0.5 / 255), np.uint8(0)], {}) or ()
    assert half == pytest.approx(0.5)
    assert half.dtype == np.float32
    (shifted,) = fold("DequantizeLinear", [np.int8(-100), np.float32(0.25), np.int8(100)], {}) or ()
    assert shifted == -50.0


def test_quantised_weights_are_not_computed() -> None:
    assert fold("DequantizeLinear", [np.zeros(8, np.int8), np.float32(0.1), np.int8(0)], {}) is None


def test_filler_is_an_attribute() -> None:
    (filled,) = (
        fold("ConstantOfShape", [np.array([3])], {"value": Value((1,), None, np.array([7], np.int64))}) or ()
    )
    assert filled.tolist() == [7, 7, 7]
    assert filled.dtype == np.int64


@pytest.mark.parametrize(
    ("op", "arrays"),
    [
        ("Expand", [np.zeros(1), np.array([MAX_KNOWN_ELEMENTS + 1])]),
        ("Tile", [np.zeros(1), np.array([2**40])]),
        ("Range", [np.int64(0), np.int64(2**40), np.int64(1)]),
        ("ConstantOfShape", [np.array([2**20, 2**20])]),
    ],
)
def test_large_results_are_never_made(op: str, arrays: list[Any]) -> None:
    assert fold(op, arrays, {}) is None


@pytest.mark.parametrize(
    ("op", "arrays"),
    [
        ("Relu", [SHAPE]),
        ("Reshape", [SHAPE, np.array([7])]),
        ("Gather", [SHAPE, np.int64(9)]),
        ("Add", [SHAPE]),
    ],
)
def test_what_cannot_be_evaluated_is_none(op: str, arrays: list[Any]) -> None:
    assert fold(op, arrays, {}) is None
