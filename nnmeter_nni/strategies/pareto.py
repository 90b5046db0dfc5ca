"""Two objectives at once: non-dominated sorting and crowding (Deb et al., NSGA-II, 2002)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

Point = Sequence[float]


def dominates(first: Point, second: Point) -> bool:
    """Whether `first` is nowhere worse than `second` and somewhere better; smaller is better."""
    return all(a <= b for a, b in zip(first, second)) and any(a < b for a, b in zip(first, second))


def fronts(points: Sequence[Point]) -> list[list[int]]:
    """Sort points into fronts.

    Parameters
    ----------
    points : sequence of sequence of float
        Objectives of each point; smaller is better.

    Returns
    -------
    list of list of int
        Indices: first those that no point dominates, then those that only the first front dominates, ...
        A point with a NaN can't be compared, and is in no front.
    """
    usable = [i for i, point in enumerate(points) if not any(map(math.isnan, point))]
    beats = {i: [j for j in usable if dominates(points[i], points[j])] for i in usable}
    dominated_by = Counter(j for beaten in beats.values() for j in beaten)
    current = [i for i in usable if dominated_by[i] == 0]
    found = []
    while current:
        found.append(current)
        following = []
        for i in current:
            for j in beats[i]:
                dominated_by[j] -= 1
                if dominated_by[j] == 0:
                    following.append(j)
        current = sorted(following)
    return found


def crowding(points: Sequence[Point]) -> list[float]:
    """Distance of each point to its neighbours along every objective; infinite at the ends."""
    distance = [0.0] * len(points)
    for axis in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: points[i][axis])
        low, high = points[order[0]][axis], points[order[-1]][axis]
        distance[order[0]] = distance[order[-1]] = float("inf")
        for before, i, after in zip(order, order[1:], order[2:]):
            if 0.0 < high - low < math.inf:
                distance[i] += (points[after][axis] - points[before][axis]) / (high - low)
    return distance


def ranking(points: Sequence[Point]) -> list[tuple[int, float]]:
    """Return (front, -crowding) of each point: smaller tuples are better, and points with a NaN last."""
    ranks: list[tuple[int, float]] = [(len(points), 0.0)] * len(points)
    for number, front in enumerate(fronts(points)):
        for i, distance in zip(front, crowding([points[i] for i in front])):
            ranks[i] = (number, -distance)
    return ranks
