from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nnmeter_nni.strategies.pareto import crowding, dominates, fronts, ranking

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25)


def test_dominance() -> None:
    assert dominates((1, 2), (1, 3))
    assert not dominates((1, 2), (1, 2))
    assert not dominates((1, 3), (2, 2))


@given(POINTS)
def test_fronts_peel_off_what_nothing_left_dominates(points: list[tuple[int, int]]) -> None:
    left = set(range(len(points)))
    for front in fronts(points):
        expected = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        assert set(front) == expected
        left -= expected
    assert not left


def test_crowding_favours_the_ends_and_the_lonely() -> None:
    assert crowding([(0, 4), (1, 3), (2, 2), (4, 0)]) == [float("inf"), 1.0, 1.5, float("inf")]
    assert crowding([]) == []
    assert crowding([(1, 1), (1, 1)]) == [float("inf"), float("inf")]


@given(POINTS)
def test_ranking_never_puts_a_dominated_point_first(points: list[tuple[int, int]]) -> None:
    ranks = ranking(points)
    for i, first in enumerate(points):
        for j, second in enumerate(points):
            if dominates(first, second):
                assert ranks[i] < ranks[j]


def test_points_with_a_nan_are_in_no_front_and_rank_last() -> None:
    nan = float("nan")
    assert fronts([(nan, 0.0), (1.0, 1.0), (0.0, nan), (2.0, 2.0)]) == [[1], [3]]
    ranks = ranking([(nan, 0.0), (1.0, 1.0), (2.0, 2.0)])
    assert max(range(3), key=ranks.__getitem__) == 0
    assert fronts([(nan, nan)]) == []


def test_an_unknown_latency_does_not_spoil_the_crowding() -> None:
    assert crowding([(0, 1), (1, 2), (2, float("inf"))]) == [float("inf"), 1.0, float("inf")]
