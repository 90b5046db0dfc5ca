from __future__ import annotations

from typing import Any

import pytest

from predictor_core.errors import ModelFormatError
from predictor_core.legacy.detection import detect
from predictor_core.legacy.errors import ParityError
from predictor_core.legacy.onnx_ir import onnx_to_ir
from predictor_core.legacy.rules import FusionRules

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def _value(name: str, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _weights(name: str, *dims: int) -> Any:
    count = 1
    for dim in dims:
        count *= dim
    return helper.make_tensor(name, onnx.TensorProto.FLOAT, dims, b"\0" * 4 * count, raw=True)


def _ints(name: str, *values: int) -> Any:
    return helper.make_tensor(name, onnx.TensorProto.INT64, [len(values)], values)


def _model(nodes: list[Any], initializers: list[Any] = (), shape: tuple[Any, ...] = (1, 16, 28, 14)) -> Any:  # type: ignore[assignment]
    last = nodes[-1].output[-1]
    graph = helper.make_graph(nodes, "net", [_value("x", *shape)], [_value(last)], list(initializers))
    graph.output[0].type.tensor_type.ClearField("shape")
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("made.up", 1)]
    )


def _conv(name: str = "conv", source: str = "x", group: int = 1, weights: str = "w") -> Any:
    return helper.make_node(
        "Conv", [source, weights], [f"{name}_out"], name, kernel_shape=[3, 3], pads=[1] * 4, group=group
    )


def test_a_convolution_in_channels_last_shapes() -> None:
    model = _model(
        [_conv(), helper.make_node("Relu", ["conv_out"], ["y"], "relu")], [_weights("w", 32, 16, 3, 3)]
    )
    before = model.SerializeToString()

    ir = onnx_to_ir(model)

    assert list(ir) == ["conv", "relu"]
    assert ir["conv"]["attr"]["input_shape"] == [[1, 28, 14, 16]]
    assert ir["conv"]["attr"]["output_shape"] == [[1, 28, 14, 32]]
    assert ir["conv"]["attr"]["attr"]["kernel_shape"] == [3, 3]
    assert ir["relu"]["inbounds"] == ["conv"]
    assert model.SerializeToString() == before


def test_depthwise_is_told_from_the_group() -> None:
    ir = onnx_to_ir(
        _model(
            [_conv(group=16), helper.make_node("Relu", ["conv_out"], ["y"], "r")],
            [_weights("w", 16, 1, 3, 3)],
        )
    )

    assert [kernel.op for kernel in detect(ir, FusionRules())] == ["dwconv", "relu"]


def test_only_the_first_slice_of_a_tensor_is_kept() -> None:
    def cut(name: str, start: int) -> Any:
        return helper.make_node("Slice", ["x", f"{name}_from", f"{name}_to", "axis"], [f"{name}_out"], name)

    bounds = [_ints("a_from", 0), _ints("a_to", 8), _ints("b_from", 8), _ints("b_to", 16), _ints("axis", 1)]
    join = helper.make_node("Concat", ["a_out", "b_out"], ["y"], "join", axis=1)

    ir = onnx_to_ir(_model([cut("a", 0), cut("b", 8), join], bounds))

    assert list(ir) == ["a", "join"]
    assert ir["a"]["attr"]["output_shape"] == [[1, 28, 14, 8], [1, 28, 14, 8]]
    assert ir["join"]["inbounds"] == ["a", "b"]


def test_a_node_without_shapes_has_no_type() -> None:
    ir = onnx_to_ir(_model([helper.make_node("NotAnOp", ["x"], ["y"], "odd", domain="made.up")]))

    assert ir["odd"]["attr"] == {}
    with pytest.raises(ParityError, match="node 'odd' has no type"):
        detect(ir, FusionRules())


def test_a_slice_of_an_unknown_tensor_is_an_error() -> None:
    nodes = [
        helper.make_node("NotAnOp", ["x"], ["z"], "odd", domain="made.up"),
        helper.make_node("Slice", ["z", "from", "to"], ["y"], "cut"),
    ]

    with pytest.raises(ParityError, match="Slice 'cut' reads 'z'"):
        onnx_to_ir(_model(nodes, [_ints("from", 0), _ints("to", 1)]))


def test_weights_are_not_copied_for_shape_inference() -> None:
    # 2**31 - 1 bytes is what protobuf can serialize; the dims alone stand for more than that here.
    weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[2**15, 2**15, 3, 3])
    model = _model([_conv(), helper.make_node("Relu", ["conv_out"], ["y"], "r")], [weights], (1, 2**15, 7, 7))

    assert onnx_to_ir(model)["conv"]["attr"]["output_shape"] == [[1, 7, 7, 2**15]]


def test_a_model_that_shape_inference_refuses() -> None:
    model = _model([helper.make_node("Odd", ["x"], ["y"], "odd", domain="not.imported")])

    with pytest.raises(ModelFormatError, match=r"shapes of the ONNX model can't be inferred.*odd"):
        onnx_to_ir(model)
