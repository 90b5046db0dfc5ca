"""The registry: every op has a cost, every forest its features, and servings keep to their neighbours."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor_core import kernels
from predictor_core.ir.ops import FREE_OPS, KNOWN_OPS
from predictor_core.kernels import Decomposition, KernelSpec


def conv(height: int, width: int, cin: int, cout: int, groups: int = 1, batch: int = 1) -> KernelSpec:
    op = "conv" if groups == 1 else "dwconv" if groups == cin else "groupconv"
    shapes = ((batch, height, width, cin),), (batch, height, width, cout)
    return KernelSpec(op, op, *shapes, kernel=(3, 3), groups=groups)


def latency_ms(spec: KernelSpec) -> float:
    """Latency with a made-up device whose dense convs are five times as efficient as the others."""

    def part_ms(part: KernelSpec) -> float:
        cost = kernels.cost(part)
        return 0.01 + cost.macs * (1e-6 if part.op == "conv" else 5e-6) + cost.bytes * 1e-7

    decomposition = kernels.decompose(spec)
    if decomposition.combine == "least":
        return min(part_ms(part) for _, part in decomposition.parts)
    if decomposition.combine == "sum":
        return decomposition.scale * sum(weight * part_ms(part) for weight, part in decomposition.parts)
    return decomposition.scale * exp(sum(weight * log(part_ms(part)) for weight, part in decomposition.parts))


def test_every_known_op_is_in_the_registry() -> None:
    # The table says `groupconv` and `global-...pool` where the op and its attributes say so.
    assert set(KNOWN_OPS) - set(kernels.KERNEL_OPS) == FREE_OPS | {"input"}


def test_exactly_the_free_ops_and_the_input_are_free() -> None:
    assert {op for op in {*KNOWN_OPS, *kernels.KERNEL_OPS} if kernels.is_free(op)} == FREE_OPS | {"input"}


def test_an_unknown_op_is_not_free_and_has_no_forest() -> None:
    assert not kernels.is_free("NotAnOp")
    assert kernels.kernel_op("NotAnOp").forest is None


def test_every_forest_of_a_kind_exists_and_is_used() -> None:
    served = {kernels.kernel_op(op).forest for op in kernels.KERNEL_OPS if not kernels.is_free(op)}
    assert served - {None} == set(kernels.FORESTS)


@pytest.mark.parametrize("forest", sorted(kernels.FORESTS))
@given(height=st.integers(1, 300), width=st.integers(1, 300), channels=st.integers(1, 2048))
def test_features_are_finite_and_named(forest: str, height: int, width: int, channels: int) -> None:
    shape = (1, height, width, channels)
    extra = (8,) if forest == "se" else ()
    spec = KernelSpec(forest, forest, (shape,), shape, kernel=(3, 3), extra=extra, epilogue=("add", "relu"))
    x = kernels.features(forest, [spec, spec])
    assert x.shape == (2, len(kernels.FORESTS[forest].names))
    assert len(set(kernels.FORESTS[forest].names)) == x.shape[1]
    assert np.isfinite(x).all()
    assert (x[0] == x[1]).all()


def feature(spec: KernelSpec, name: str) -> float:
    forest = kernels.kernel_op(spec.op).forest
    assert forest is not None
    return float(kernels.features(forest, [spec])[0, kernels.FORESTS[forest].names.index(name)])


def test_features_show_what_no_measured_kernel_has() -> None:
    square, flat = conv(28, 28, 16, 16), conv(14, 56, 16, 16)
    assert feature(square, "aspect") == 1.0
    assert feature(flat, "aspect") == 0.25
    assert feature(flat, "log_side") == pytest.approx(feature(square, "log_side"))
    assert feature(square._replace(kernel=(1, 7)), "kernel_aspect") == pytest.approx(1 / 7)
    assert feature(square._replace(dilations=(2, 2)), "dilation") == 4.0
    assert feature(square._replace(strides=(2, 1)), "stride_aspect") == 2.0


def test_channel_features_by_hand() -> None:
    spec = conv(7, 7, 20, 33)
    assert feature(spec, "cin_pad8") == pytest.approx(24 / 20)
    assert feature(spec, "cin_blocks16") == 2.0
    assert feature(spec, "cout_mod4") == 1.0
    assert feature(spec, "log_cout") == pytest.approx(log(33))


def test_a_merged_pool_and_residual_are_seen() -> None:
    spec = conv(28, 28, 16, 16)
    pooled = spec._replace(epilogue=("relu", "maxpool"), extra=(3, 3, 2, 2))
    residual = spec._replace(epilogue=("add", "relu6"))
    assert [feature(each, "pooled") for each in (spec, pooled, residual)] == [0.0, 3.0, 0.0]
    assert [feature(each, "residuals") for each in (spec, pooled, residual)] == [0.0, 0.0, 1.0]
    assert [feature(each, "activation") for each in (spec, pooled, residual)] == [0.0, 1.0, 2.0]


def test_concat_features_tell_inputs_apart() -> None:
    def concat(*widths: int) -> KernelSpec:
        inputs = tuple((1, 7, 7, width) for width in widths)
        return KernelSpec("concat", "concat", inputs, (1, 7, 7, sum(widths)))

    assert feature(concat(8, 16), "aligned8") == 1.0
    assert feature(concat(9, 16), "aligned8") == 0.0
    assert feature(concat(*[8] * 20), "inputs") == 20.0
    assert feature(concat(*[8] * 20), "log_bytes") > feature(concat(*[8] * 5), "log_bytes")


def test_a_measured_kernel_is_served_as_it_is() -> None:
    for spec in (conv(28, 28, 16, 24), conv(28, 28, 16, 16, groups=16)):
        assert kernels.decompose(spec) == Decomposition(((1.0, spec),))


@given(batch=st.integers(2, 256), groups=st.sampled_from([1, 4, 16]))
def test_a_batch_costs_its_number_of_single_images(batch: int, groups: int) -> None:
    one, many = conv(14, 14, 16, 16, groups), conv(14, 14, 16, 16, groups, batch)
    assert latency_ms(many) == pytest.approx(batch * latency_ms(one))
    assert not kernels.decompose(many).measured


@pytest.mark.parametrize(
    ("shape", "stacked"), [((8, 7, 9, 32), (1, 56, 9, 32)), ((8, 7, 32), (1, 56, 32)), ((8, 32), (1, 8, 32))]
)
def test_an_elementwise_op_sees_a_batch_as_a_taller_map(
    shape: tuple[int, ...], stacked: tuple[int, ...]
) -> None:
    per_channel = (1,) * (len(shape) - 1) + (32,)
    spec = KernelSpec("mul", "mul", (shape, per_channel), shape)
    decomposition = kernels.decompose(spec)
    assert decomposition.spec.inputs == (stacked, per_channel)
    assert kernels.cost(decomposition.spec) == kernels.cost(spec)
    assert not decomposition.measured


@given(
    size=st.integers(1, 64),
    channels=st.sampled_from([8, 16, 64, 128, 512]),
    width=st.sampled_from([1, 2]),
)
def test_a_grouped_conv_lies_between_dense_and_depthwise(size: int, channels: int, width: int) -> None:
    cout = channels * width
    powers = [2**i for i in range(channels.bit_length() - 1)]
    latencies = [latency_ms(conv(size, size, channels, cout, groups)) for groups in powers]
    latencies.append(latency_ms(conv(size, size, channels, cout, channels)))
    falling = sorted(latencies, reverse=True)
    rising = sorted(latencies)
    assert latencies == pytest.approx(falling) or latencies == pytest.approx(rising)


def test_more_groups_are_cheaper_where_depthwise_is() -> None:
    dense, some, many = (latency_ms(conv(28, 28, 128, 128, groups)) for groups in (1, 32, 64))
    assert dense > some > many > latency_ms(conv(28, 28, 128, 128, 128))


def fc(*leading: int) -> KernelSpec:
    return KernelSpec("fc", "fc", ((*leading, 512),), (*leading, 256))


@given(length=st.integers(49, 5000))
def test_fc_on_a_sequence_is_one_row_and_a_pointwise_conv(length: int) -> None:
    decomposition = kernels.decompose(fc(1, length))
    (first, row), (second, pointwise) = decomposition.parts
    assert (first, row, second) == (1.0, fc(1), 1.0)
    assert (pointwise.op, pointwise.kernel) == ("conv", (1, 1))
    assert kernels.cost(pointwise) == kernels.cost(fc(1, length))
    assert decomposition.combine == "sum"
    assert not decomposition.measured


@given(length=st.integers(1, 400))
def test_fc_grows_with_the_sequence_from_one_row_on(length: int) -> None:
    assert latency_ms(fc(1, length)) < latency_ms(fc(1, length + 1))


@given(batch=st.integers(2, 64), length=st.sampled_from([1, 10, 197]))
def test_fc_grows_with_the_batch(batch: int, length: int) -> None:
    # Where the batch stands makes no difference, and it reads the weights once.
    assert latency_ms(fc(batch, length)) == latency_ms(fc(length, batch)) == latency_ms(fc(batch * length))
    assert latency_ms(fc(1, length)) < latency_ms(fc(batch, length)) < batch * latency_ms(fc(1, length))


def test_fc_on_one_row_is_measured_in_any_rank() -> None:
    assert kernels.decompose(fc(1, 1, 1)) == kernels.decompose(fc(1)) == Decomposition(((1.0, fc(1)),))


def pool(batch: int, channels: int) -> KernelSpec:
    return KernelSpec(
        "avgpool", "avgpool", ((batch, 32, 32, channels),), (batch, 16, 16, channels), (2, 2), (2, 2)
    )


def test_a_pool_costs_no_more_than_one_of_whole_blocks_of_channels() -> None:
    decomposition = kernels.decompose(pool(1, 3))
    assert [part for _, part in decomposition.parts] == [pool(1, 3), pool(1, 4), pool(1, 8), pool(1, 16)]
    assert decomposition.combine == "least"
    assert decomposition.measured


def test_a_batch_of_maps_is_pooled_as_one_map_of_more_channels() -> None:
    decomposition = kernels.decompose(pool(1024, 1))
    assert decomposition.parts[:1] == kernels.decompose(pool(1, 1024)).parts == ((1.0, pool(1, 1024)),)
    assert not decomposition.measured
    # Or each map by itself.
    assert decomposition.parts[1:] == tuple((1024.0, pool(1, width)) for width in (1, 4, 8, 16))


def test_a_channel_multiplier_is_served_by_the_channels_it_writes() -> None:
    spec = KernelSpec("dwconv", "dwconv", ((1, 7, 7, 8),), (1, 7, 7, 16), kernel=(3, 3), groups=8)
    decomposition = kernels.decompose(spec)
    assert decomposition.spec == conv(7, 7, 16, 16, groups=16)
    assert not decomposition.measured


def test_an_op_that_works_alike_is_not_measured() -> None:
    shape = (1, 7, 7, 8)
    assert not kernels.decompose(KernelSpec("sub", "sub", (shape, shape), shape)).measured
    assert kernels.decompose(KernelSpec("add", "add", (shape, shape), shape)).measured


shapes = st.lists(st.integers(1, 64), max_size=5).map(tuple)


@settings(max_examples=400)
@given(
    op=st.sampled_from(sorted(op for op in kernels.KERNEL_OPS if not kernels.is_free(op))),
    inputs=st.lists(shapes.filter(len), min_size=1, max_size=6),
    output=shapes.filter(len),
)
def test_tensors_of_any_rank_are_served(
    op: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]
) -> None:
    extra = {"se": (8,), "lstm": (4, 1, 1), "gru": (4, 1, 1), "rnn": (4, 1, 1), "conv3d": (3, 3, 3)}
    groups = {"groupconv": 2, "dwconv": inputs[0][-1]}
    if op == "groupconv":
        inputs = [(*inputs[0][:-1], 4)]
    if op == "concat":
        inputs = [output] * len(inputs)
    spec = KernelSpec(op, op, tuple(inputs), output, groups=groups.get(op, 1), extra=extra.get(op, ()))
    decomposition = kernels.decompose(spec)
    if decomposition.combine == "mean":
        assert sum(weight for weight, _ in decomposition.parts) == pytest.approx(1.0)
    for _, part in decomposition.parts:
        assert min(kernels.cost(part)) >= 0
        forest = kernels.kernel_op(part.op).forest
        if forest is not None:
            assert np.isfinite(kernels.features(forest, [part])).all()


@pytest.mark.parametrize("merged", [(), (8400,), (4, 8400), (1, 4, 8400)])
def test_what_a_merged_op_reads_is_no_part_of_a_concat(merged: tuple[int, ...]) -> None:
    parts = ((1, 2, 8400), (1, 2, 8400))
    alone = KernelSpec("concat", "concat", parts, (1, 4, 8400), extra=(1,))
    with_product = alone._replace(type="concat-mul", inputs=(*parts, merged), epilogue=("mul",))
    found = kernels.features("concat", [with_product, alone])
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("groups", [1, 4])
def test_a_deformable_convolution_costs_more_than_the_plain_one(groups: int) -> None:
    shapes = ((1, 16, 16, 64), (1, 16, 16, 18)), (1, 16, 16, 32)
    deformable = KernelSpec("deformconv", "deformconv", *shapes, kernel=(3, 3), groups=groups)
    decomposition = kernels.decompose(deformable)
    assert not decomposition.measured
    assert sum(
        weight * kernels.cost(part).macs for weight, part in decomposition.parts if part.op == "conv"
    ) == (kernels.cost(deformable).macs)
    assert latency_ms(deformable) > latency_ms(conv(16, 16, 64, 32)) / groups
