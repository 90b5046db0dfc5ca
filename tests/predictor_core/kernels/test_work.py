"""Work: what a base counts never falls when a kernel grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor_core import kernels
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.work import ROW_ELEMENTS, WORK

sizes = st.integers(1, 300)


def conv(
    height: int = 28,
    width: int = 28,
    cin: int = 64,
    cout: int = 96,
    kernel: int = 3,
    stride: int = 1,
    op: str = "conv",
) -> KernelSpec:
    return KernelSpec(
        op,
        op,
        ((1, height * stride, width * stride, cin),),
        (1, height, width, cout),
        kernel=(kernel, kernel),
        strides=(stride, stride),
        groups=cin if op == "dwconv" else 1,
    )


def work(term: str, spec: KernelSpec) -> float:
    return WORK[term](spec, kernels.cost(spec))


@pytest.mark.parametrize("term", WORK)
@given(
    dimension=st.sampled_from(["height", "width", "cin", "cout", "kernel"]),
    size=sizes,
    more=st.integers(1, 99),
)
def test_no_work_falls_when_a_convolution_grows(term: str, dimension: str, size: int, more: int) -> None:
    small = work(term, conv(**{dimension: size}))
    assert 0.0 <= small <= work(term, conv(**{dimension: size + more}))


@pytest.mark.parametrize("term", ["macs", "bytes", "launch", "reduction_depth", "rows"])
@given(channels=sizes, more=st.integers(1, 99))
def test_no_work_falls_when_a_depthwise_convolution_grows(term: str, channels: int, more: int) -> None:
    small = work(term, conv(op="dwconv", cin=channels, cout=channels))
    assert 0.0 < small <= work(term, conv(op="dwconv", cin=channels + more, cout=channels + more))


def test_channels_are_padded_to_whole_blocks() -> None:
    assert work("macs_4x8", conv(cin=64, cout=96)) == work("macs", conv(cin=64, cout=96))
    assert work("macs_4x8", conv(cin=61, cout=89)) == work("macs", conv(cin=64, cout=96))
    assert work("macs_4x4", conv(cin=61, cout=89)) == work("macs", conv(cin=64, cout=92))


def test_only_windows_are_unfolded() -> None:
    assert work("unfolded", conv(kernel=1)) == 0.0
    assert work("unfolded", conv(kernel=3)) == 4 * 28 * 28 * 9 * 64
    assert work("unfolded", conv(kernel=1, stride=2)) == 4 * 28 * 28 * 64


def test_one_output_waits_for_its_own_sum() -> None:
    assert work("reduction_depth", conv()) == 9 * 64
    assert work("reduction_depth", conv(op="dwconv", cin=64, cout=64)) == 9


def test_the_engine_runs_full_only_on_whole_blocks() -> None:
    assert work("engine_macs", conv(cin=256, cout=256, kernel=1)) >= work(
        "macs", conv(cin=256, cout=256, kernel=1)
    )
    assert work("engine_macs", conv(cin=17, cout=9)) > 1.5 * work("macs", conv(cin=17, cout=9))


def test_rows_crowd_the_engine_only_when_they_are_long() -> None:
    channels = ROW_ELEMENTS // 28 // 2
    assert work("line_buffer_spill", conv(cin=channels, cout=channels)) == 0.0
    spilling = conv(cin=2 * channels, cout=2 * channels)
    assert work("line_buffer_spill", spilling) == pytest.approx(work("engine_macs", spilling), rel=0.01)


def test_a_long_flat_map_crowds_the_engine_no_more_than_a_square_one() -> None:
    flat, square = conv(height=1, width=196, kernel=1), conv(height=14, width=14, kernel=1)
    assert work("line_buffer_spill", flat) == work("line_buffer_spill", square)
    wide = {"cin": 2048, "cout": 2048, "kernel": 1}
    assert (
        work("line_buffer_spill", conv(1, 196, **wide))
        == work("line_buffer_spill", conv(14, 14, **wide))
        > 0.0
    )
