"""Work: what a base counts never falls when a kernel grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor_core import kernels
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.work import ROW_ELEMENTS, VECTOR_ELEMENTS, WORK

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


@pytest.mark.parametrize("term", ["macs", "bytes", "launch", "reduction_depth"])
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


def test_permutations_go_element_by_element() -> None:
    assert work("permuted", conv()) == VECTOR_ELEMENTS * work("bytes", conv())


def test_long_rows_of_the_output_slow_the_engine_down() -> None:
    channels = ROW_ELEMENTS // 32
    assert work("row_spill", conv(width=32, height=32, cout=channels)) == 0.0
    # Twice as long: an excess of one, of the two at which it levels off.
    spilling = conv(width=32, height=32, cout=2 * channels)
    assert work("row_spill", spilling) == pytest.approx(work("engine_macs", spilling) / 1.5)
    endless = conv(width=32, height=32, cout=1000 * channels)
    assert work("row_spill", endless) == pytest.approx(2.0 * work("engine_macs", endless), rel=0.01)


def test_a_long_flat_map_is_as_long_as_a_square_one() -> None:
    flat, square = conv(height=1, width=196, kernel=1), conv(height=14, width=14, kernel=1)
    assert work("row_spill", flat) == work("row_spill", square)
    wide = {"cin": 2048, "cout": 2048, "kernel": 1}
    assert work("row_spill", conv(1, 196, **wide)) == work("row_spill", conv(14, 14, **wide)) > 0.0
