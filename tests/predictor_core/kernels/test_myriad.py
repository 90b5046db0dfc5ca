"""Schedules of the Myriad X's convolution engine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from predictor_core.kernels.myriad import schedule


def test_a_small_conv_takes_one_pass() -> None:
    # In mode 8 each block holds 2 of the 16 channels: 2 * 9 multiplications, and 19 cycles of overhead.
    assert schedule(16, 16, 9) == (2 * 9 + 19, 8, 1, 1)


def test_output_channels_beyond_a_multiple_of_eight_cost_a_pass() -> None:
    assert schedule(64, 256, 1).cycles < schedule(64, 257, 1).cycles
    assert schedule(64, 249, 1) == schedule(64, 256, 1)


def test_many_input_channels_are_split() -> None:
    # 16 blocks of 256 / 9 = 28 channels.
    assert schedule(448, 64, 9).splits == 1
    assert schedule(449, 64, 9).splits == 2


@given(cin=st.integers(1, 4096), cout=st.integers(1, 4096), kernel=st.integers(1, 20))
def test_schedules_are_finite_and_the_engine_never_beats_its_own_rate(
    cin: int, cout: int, kernel: int
) -> None:
    found = schedule(cin, cout, kernel**2)
    assert found.cycles * 256 >= cin * cout * kernel**2
    assert found.descriptors >= 1
    assert found.splits >= 1


@given(cin=st.integers(1, 2048), cout=st.integers(1, 2048), kernel=st.sampled_from([1, 3, 5, 7, 11]))
def test_more_output_channels_never_take_fewer_cycles(cin: int, cout: int, kernel: int) -> None:
    assert schedule(cin, cout, kernel**2).cycles <= schedule(cin, cout + 1, kernel**2).cycles
