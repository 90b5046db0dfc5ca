"""Analytic cost: physically sane for every op that the registry knows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor_core import kernels
from predictor_core.kernels import KernelSpec

sizes = st.integers(1, 512)
factors = st.integers(2, 5)


def conv(op: str = "conv", **changes: Any) -> KernelSpec:
    values = {"batch": 1, "height": 28, "width": 28, "cin": 64, "cout": 96, "kernel": (3, 3), "groups": 1}
    values.update(changes)
    batch, height, width = values["batch"], values["height"], values["width"]
    return KernelSpec(
        op,
        op,
        ((batch, height, width, values["cin"]),),
        (batch, height, width, values["cout"]),
        kernel=values["kernel"],
        groups=values["groups"],
    )


def test_conv_counts_every_multiplication_once() -> None:
    assert kernels.cost(conv()) == (28 * 28 * 96 * 64 * 9, 4 * (28 * 28 * (64 + 96) + 9 * 64 * 96))


@given(dimension=st.sampled_from(["batch", "height", "width", "cin", "cout"]), size=sizes, factor=factors)
@pytest.mark.parametrize("op", ["conv", "convtranspose"])
def test_conv_grows_with_every_dimension(op: str, dimension: str, size: int, factor: int) -> None:
    small = kernels.cost(conv(op, **{dimension: size}))
    large = kernels.cost(conv(op, **{dimension: size * factor}))
    assert large.macs == pytest.approx(factor * small.macs)
    assert small.bytes < large.bytes <= factor * small.bytes


@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_conv_grows_with_both_kernel_dimensions(height: int, width: int) -> None:
    cost = kernels.cost(conv(kernel=(height, width)))
    assert cost.macs < kernels.cost(conv(kernel=(height + 1, width))).macs
    assert cost.macs < kernels.cost(conv(kernel=(height, width + 1))).macs
    assert cost == kernels.cost(conv(kernel=(width, height)))


@given(channels=st.sampled_from([16, 32, 64, 256]), power=st.integers(1, 8))
def test_groups_divide_the_multiplications(channels: int, power: int) -> None:
    groups = min(2**power, channels)
    dense = kernels.cost(conv(cin=channels, cout=channels))
    grouped = kernels.cost(conv("groupconv", cin=channels, cout=channels, groups=groups))
    assert grouped.macs * groups == dense.macs
    assert grouped.bytes < dense.bytes


@given(rows=st.integers(1, 300), factor=factors)
def test_fc_grows_with_the_sequence(rows: int, factor: int) -> None:
    small = kernels.cost(KernelSpec("fc", "fc", ((1, rows, 64),), (1, rows, 32)))
    large = kernels.cost(KernelSpec("fc", "fc", ((1, rows * factor, 64),), (1, rows * factor, 32)))
    assert large.macs == factor * small.macs


@given(length=st.integers(1, 300), factor=factors)
def test_attention_is_quadratic_in_the_sequence(length: int, factor: int) -> None:
    def scores(tokens: int) -> KernelSpec:
        query, key = (1, 8, tokens, 64), (1, 8, 64, tokens)
        return KernelSpec("matmul", "matmul", (query, key), (1, 8, tokens, tokens))

    assert kernels.cost(scores(length * factor)).macs == factor**2 * kernels.cost(scores(length)).macs


@given(steps=st.integers(1, 100), layers=st.integers(1, 4), hidden=st.integers(1, 256))
def test_recurrent_layers_grow_with_steps_layers_and_directions(steps: int, layers: int, hidden: int) -> None:
    def lstm(steps: int, layers: int, directions: int) -> KernelSpec:
        output = (1, steps, hidden * directions)
        return KernelSpec("lstm", "lstm", ((1, steps, 32),), output, extra=(hidden, layers, directions))

    base = kernels.cost(lstm(steps, layers, 1))
    assert kernels.cost(lstm(steps + 1, layers, 1)).macs > base.macs
    assert kernels.cost(lstm(steps, layers + 1, 1)).macs > base.macs
    assert kernels.cost(lstm(steps, layers, 2)).macs >= 2 * base.macs


EXTRAS = {"se": (8,), "lstm": (16, 1, 1), "gru": (16, 1, 1), "rnn": (16, 1, 1), "conv3d": (3, 3, 3)}
COSTED = sorted(op for op in kernels.KERNEL_OPS if not kernels.is_free(op))


@settings(max_examples=400)
@given(op=st.sampled_from([*COSTED, "NotAnOp"]), height=sizes, width=sizes, channels=sizes, factor=factors)
def test_every_op_costs_something_and_more_on_a_larger_map(
    op: str, height: int, width: int, channels: int, factor: int
) -> None:
    def spec(height: int, width: int) -> KernelSpec:
        shape = (1, height, width, channels)
        return KernelSpec(op, op, (shape, shape), shape, extra=EXTRAS.get(op, ()))

    small = kernels.cost(spec(height, width))
    assert small.macs >= 0
    assert small.bytes > 0
    for larger in (spec(height * factor, width), spec(height, width * factor)):
        cost = kernels.cost(larger)
        assert cost.macs >= small.macs
        assert cost.bytes > small.bytes


def test_a_transposed_conv_in_three_dimensions_costs_as_one_in_two() -> None:
    flat = KernelSpec("", "convtranspose", ((1, 16, 1024, 64),), (1, 32, 4096, 32), kernel=(2, 4))
    deep = KernelSpec("", "convtranspose3d", ((1, 16, 32, 32, 64),), (1, 32, 64, 64, 32), extra=(2, 2, 2))
    assert kernels.cost(deep) == kernels.cost(flat)


def test_a_projection_of_the_state_counts() -> None:
    plain = KernelSpec("", "lstm", ((5, 2, 8),), (5, 2, 16), extra=(16, 1, 1))
    projected = plain._replace(extra=(16, 1, 1, 6))
    assert kernels.cost(plain).macs == 5 * 2 * 4 * 16 * (8 + 16)
    assert kernels.cost(projected).macs == 5 * 2 * (4 * 16 * (8 + 6) + 16 * 6)
