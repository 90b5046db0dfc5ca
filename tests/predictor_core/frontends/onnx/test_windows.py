"""Sizes after convolutions and pools, with the package onnx as the judge."""

from __future__ import annotations

from typing import Any

import pytest

from tests.onnx_factory import OnnxModel, onnx

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
SAME = st.sampled_from(["SAME_UPPER", "SAME_LOWER"])
few = hypothesis.settings(max_examples=40, deadline=None)


def pairs(low: int, high: int) -> Any:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def assert_as_judged(model: OnnxModel) -> None:
    inferred = onnx.shape_inference.infer_shapes(model.proto()).graph
    n, c, *size = [dim.dim_value for dim in inferred.output[0].type.tensor_type.shape.dim]
    assert model.graph().nodes[-1].shape == (n, *size, c)


@few
@hypothesis.given(
    size=pairs(1, 20),
    kernel=pairs(1, 5),
    strides=pairs(1, 3),
    dilations=pairs(1, 3),
    begins=pairs(0, 3),
    ends=pairs(0, 3),
)
def test_conv(size: Any, kernel: Any, strides: Any, dilations: Any, begins: Any, ends: Any) -> None:
    for i in (0, 1):
        hypothesis.assume(size[i] + begins[i] + ends[i] > (kernel[i] - 1) * dilations[i])
    model = OnnxModel((2, 4, *size))
    model.conv("x", (6, 4, *kernel), strides=strides, dilations=dilations, pads=[*begins, *ends])
    assert_as_judged(model)


@few
@hypothesis.given(
    size=pairs(1, 20),
    kernel=pairs(1, 5),
    strides=pairs(1, 3),
    auto=SAME,
)
def test_conv_that_pads_itself(size: Any, kernel: Any, strides: Any, auto: str) -> None:
    model = OnnxModel((2, 4, *size))
    model.conv("x", (6, 4, *kernel), strides=strides, auto_pad=auto)
    assert_as_judged(model)


@few
@hypothesis.given(
    size=pairs(1, 12), kernel=pairs(1, 5), strides=pairs(1, 4), extra=pairs(0, 3), pads=pairs(0, 2)
)
def test_transposed_conv(size: Any, kernel: Any, strides: Any, extra: Any, pads: Any) -> None:
    for i in (0, 1):
        hypothesis.assume(extra[i] < strides[i])
        hypothesis.assume((size[i] - 1) * strides[i] + extra[i] + kernel[i] > 2 * pads[i])
    model = OnnxModel((1, 4, *size))
    weight = model.weight(4, 5, *kernel)
    model("ConvTranspose", "x", weight, strides=strides, output_padding=extra, pads=[*pads, *pads])
    assert_as_judged(model)


@few
@hypothesis.given(size=pairs(4, 20), kernel=pairs(2, 4), strides=pairs(1, 4), pads=pairs(0, 1))
def test_pool_that_rounds_up_is_as_in_torch(size: Any, kernel: Any, strides: Any, pads: Any) -> None:
    torch = pytest.importorskip("torch")
    pool = torch.nn.MaxPool2d(kernel, strides, pads, ceil_mode=True)
    rows, columns = pool(torch.zeros(1, 1, *size)).shape[2:]
    model = OnnxModel((1, 3, *size))
    model("MaxPool", "x", kernel_shape=kernel, strides=strides, pads=[*pads, *pads], ceil_mode=1)
    assert model.graph().nodes[-1].shape == (1, rows, columns, 3)
