from __future__ import annotations

import copy
import sys
from typing import Any

import pytest

from predictor_core.errors import ModelFormatError, PackError
from predictor_core.legacy.detection import detect
from predictor_core.legacy.errors import ParityError
from predictor_core.legacy.rules import FusionRules
from tests.predictor_core.legacy.ir_builder import IrBuilder


def _rules(*names: str, mon: Any = None) -> FusionRules:
    return FusionRules.from_dict({**{f"BF_{name}": {"obey": True} for name in names}, "MON": {"obey": mon}})


def _ops(builder: IrBuilder, *names: str, mon: Any = None) -> list[str]:
    return [kernel.op for kernel in detect(builder.ir, _rules(*names, mon=mon))]


def _chain(*types: str) -> IrBuilder:
    builder = IrBuilder()
    last = "input"
    for number, type in enumerate(types):
        last = builder.add(f"n{number}", type, [last])
    return builder


def test_the_type_of_the_first_op_decides_what_joins() -> None:
    # bn-relu is no rule, but conv-relu is: the relu joins the conv.
    assert _ops(_chain("Conv2D", "FusedBatchNormV3", "Relu6"), "conv_bn", "conv_relu") == ["conv-bn-relu"]
    assert _ops(_chain("Conv2D", "FusedBatchNormV3", "Relu6"), "conv_bn", "bn_relu") == ["conv-bn", "relu"]


def test_a_rule_of_three_ops_needs_an_exact_chain() -> None:
    assert _ops(_chain("Conv2D", "FusedBatchNorm", "Relu"), "conv_bn_relu") == ["conv-bn-relu"]
    assert _ops(_chain("Conv2D", "FusedBatchNorm", "Add"), "conv_bn_relu") == ["conv", "bn", "add"]


def test_kernels_cover_their_nodes() -> None:
    kernel = detect(_chain("Conv2D", "FusedBatchNorm", "Relu").ir, _rules("conv_bn_relu"))[0]

    assert kernel.nodes == ("n0", "n1", "n2")


def test_several_readers_and_rule_mon() -> None:
    builder = _chain("Conv2D")
    builder.add("a", "Relu", ["n0"])
    builder.add("b", "Relu", ["n0"])

    assert _ops(builder, "conv_relu", mon=0) == ["conv", "relu", "relu"]
    # The second round finds the other reader.
    assert _ops(builder, "conv_relu", mon=1) == ["conv-relu-relu"]


def test_mon_2_fails_where_nn_meter_does() -> None:
    with pytest.raises(ParityError, match="changes the set of readers"):
        _ops(_chain("Conv2D", "Relu", "Add"), "conv_relu", mon=2)
    assert _ops(_chain("Conv2D", "Relu"), "conv_add", mon=2) == ["conv", "relu"]


def test_hard_swish_spelled_out() -> None:
    builder = _chain("Conv2D")
    builder.add("plus3", "Add", ["n0"])
    builder.add("clip", "Clip", ["plus3"])
    builder.add("sixth", "Div", ["clip"])
    builder.add("out", "Mul", ["n0", "sixth"])

    assert _ops(builder) == ["conv", "hswish"]
    assert _ops(builder, "conv_hswish") == ["conv-hswish"]


def test_a_second_reader_inside_prevents_no_match_but_an_extra_edge_does() -> None:
    def spelled(clip_source: list[str]) -> IrBuilder:
        builder = _chain("Conv2D")
        builder.add("plus3", "Add", ["n0"])
        builder.add("clip", "Relu6", clip_source)
        builder.add("sixth", "Mul", ["clip"])
        builder.add("out", "Mul", ["n0", "sixth"])
        return builder

    seen_twice = spelled(["plus3"])
    seen_twice.add("spy", "Sigmoid", ["clip"])
    assert "hswish" in _ops(seen_twice)
    assert "hswish" not in _ops(spelled(["plus3", "plus3"]))


def test_squeeze_and_excitation_of_onnx() -> None:
    builder = _chain("Conv2D")
    last = "n0"
    for number, type in enumerate(("GlobalAveragePool", "Conv", "Relu", "Conv", "HardSigmoid")):
        last = builder.add(f"se{number}", type, [last])
    builder.add("scale", "Mul", ["n0", last])

    kernel = detect(builder.ir, _rules())[1]

    assert kernel.op == "se"
    assert set(kernel.nodes) == {"se0", "se1", "se2", "se3", "se4", "scale"}


def test_channel_shuffle_and_global_pool() -> None:
    assert _ops(_chain("Reshape", "Transpose", "Reshape")) == ["channelshuffle"]
    assert _ops(_chain("Mean", "Reshape", "MatMul")) == ["gap", "fc"]


def test_a_convolution_of_a_grey_image_is_depthwise() -> None:
    builder = IrBuilder([1, 28, 28, 1])
    builder.conv("c", "input", "Conv", group=1)

    assert _ops(builder) == ["dwconv"]


def test_a_scalar_constant_takes_the_shape_of_its_partner() -> None:
    builder = IrBuilder()
    builder.add("half", "Mul", ["input", "c"], inputs=[[], [1, 7, 7, 3]])
    builder.add("c", "Const", [], inputs=[], outputs=[[]])

    assert detect(builder.ir, _rules())[0].fields["input_tensors"] == [[1, 7, 7, 3], [1, 7, 7, 3]]


def test_a_dangling_input_hides_the_next_one() -> None:
    builder = _chain("Relu")
    builder.add("sum", "Add", ["absent", "n0"])
    assert _ops(builder) == ["relu", "add"]

    # `lost` looks isolated in the first pass and is dropped, which hides `input` in the second, and so on.
    builder = IrBuilder()
    builder.add("lost", "Const", [], inputs=[])
    builder.add("sum", "Add", ["absent", "lost", "input"], inputs=[[1, 2, 2, 4]] * 3)
    assert _ops(builder) == []


def test_the_dict_is_not_changed() -> None:
    builder = _chain("Conv2D", "FusedBatchNorm", "Relu", "Split")
    before = copy.deepcopy(builder.ir)

    detect(builder.ir, _rules("conv_bn_relu"))

    assert builder.ir == before


def test_a_cycle_is_an_error() -> None:
    builder = _chain("Conv2D", "Relu")
    builder.ir["n0"]["inbounds"] = ["n1"]

    with pytest.raises(ParityError, match="cycle through or before node 'n0'"):
        _ops(builder)


def test_a_fused_loop_is_an_error() -> None:
    builder = _chain("Conv2D")
    builder.add("a", "FusedBatchNorm", ["n0"])
    builder.add("side", "Sigmoid", ["n0"])
    builder.add("z", "Add", ["a", "side"])

    with pytest.raises(ParityError, match="cycle"):
        _ops(builder, "conv_bn_add")


def test_a_reader_that_is_no_kernel_is_an_error() -> None:
    with pytest.raises(ParityError, match="is read by 'n1' of type Identity"):
        _ops(_chain("Conv2D", "Identity"))


@pytest.mark.parametrize(
    ("ir", "message"),
    [
        ([], "got a list"),
        ({"a": 3}, "node 'a' of the nn-Meter IR"),
        ({"a": {"attr": None}}, "node 'a'"),
        ({"a": {"inbounds": [], "attr": {"type": 3, "attr": {}}}}, "not a string"),
        ({"a": {"inbounds": [["b"]], "attr": {"type": "Conv", "attr": {}}}}, "not a string"),
    ],
)
def test_what_is_no_ir_is_refused(ir: Any, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        detect(ir, FusionRules())


@pytest.mark.parametrize(
    "attr",
    [
        {},
        {"type": "Conv2D"},
        {"type": "Conv2D", "attr": {}},
        {"type": "Conv2D", "attr": {}, "input_shape": [[]], "output_shape": [[1]]},
        {"type": "Conv2D", "attr": {"weight_shape": 3}, "input_shape": [[1]], "output_shape": [[1]]},
        {"type": "Conv", "attr": {"group": 1}, "input_shape": [[1, 3, 8]], "output_shape": [[1]]},
        {"type": "Add", "attr": {}, "input_shape": [[]], "output_shape": [[1]]},
    ],
)
def test_what_nn_meter_fails_on_is_a_parity_error(attr: dict[str, Any]) -> None:
    builder = IrBuilder()
    builder.ir["bad"] = {"inbounds": ["input"], "attr": attr}

    with pytest.raises(ParityError, match="bad"):
        _ops(builder)


def test_an_empty_graph_has_no_kernels() -> None:
    assert detect({}, FusionRules()) == []


def test_detection_is_linear() -> None:
    def calls(blocks: int) -> int:
        builder = _chain(*["Conv2D", "FusedBatchNorm", "Relu", "Add", "Mul"] * blocks)
        rules = _rules("conv_bn_relu", "conv_bn", "add_relu")
        count = 0

        def step(frame: Any, event: str, argument: Any) -> None:
            nonlocal count
            count += 1

        sys.setprofile(step)
        try:
            detect(builder.ir, rules)
        finally:
            sys.setprofile(None)
        return count

    assert calls(800) < 4.5 * calls(200)


@pytest.mark.parametrize("rules", [{"BF_a_b": 3}, {"BF_a_b": {}}, {"MON": []}])
def test_malformed_rules_are_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(PackError, match="'obey'"):
        FusionRules.from_dict(rules)
