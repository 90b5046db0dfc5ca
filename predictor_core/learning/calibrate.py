"""Half widths of the prediction intervals, from models that the forests have not seen.

Two sorts of unseen models count: those of measured families, for which each family gets half widths of its
own, and families that were left out of a fit, which say what to add for an architecture unlike all that were
measured. What is added has few parameters, and holds for each of the families that were left out: the largest
of F families' quantiles covers a new family with probability F / (F + 1), if families are exchangeable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from predictor_core.learning.dataset import Floats
from predictor_core.learning.evaluate import Predictions
from predictor_core.predictor.hardness import PROFILE
from predictor_core.predictor.interval import NONE, Group, Sides, Widths

#: Coverage aimed at on unseen models of measured families, half of the rest on each side.
COVERAGE = 0.90
#: Coverage aimed at on each family that was left out of the training.
LEFT_OUT_COVERAGE = 0.90

#: Least half width.
LEAST = 0.005
#: Share of a family's models inside its edge.
_INSIDE = 0.98
#: Least standard deviations of a family's profiles: of shares, and of logarithms.
_LEAST_SHARE, _LEAST_LOG = 0.01, 0.1
#: Shapes of what is added: weights of distance, disagreement and kernels outside the range; edge and scale of
#: the distance; scale of the disagreement.
_WEIGHTS = tuple(
    (unlike, epistemic, round(1.0 - unlike - epistemic, 2))
    for unlike, epistemic in product((0.0, 0.25, 0.5, 0.75, 1.0), repeat=2)
    if unlike + epistemic <= 1.0
)
_RAMPS = tuple(product((0.5, 0.75, 1.0), (0.1, 0.4, 1.6)))
_DEVIATION_SCALES = (0.0005, 0.002, 0.01, 0.05)
_ROUNDS = 3
#: Additions that reach further than this, in the logarithm, have the wrong shape.
_LARGEST = 5.0
#: What a narrower interval on a left-out family is worth beside one on a measured family.
_LEFT_OUT_WEIGHT = 0.3


def calibrate(
    held_out: Predictions, left_out: Mapping[str, Predictions], estimated: Mapping[str, Sides]
) -> Widths:
    """Find half widths that hold for each family, and are as narrow as that allows.

    Parameters
    ----------
    held_out : Predictions
        Models of families that were trained on.
    left_out : mapping of str to Predictions
        Predictions of a fit without a family for that family.
    estimated : mapping of str to Sides
        What models of nothing but estimates add, by kind.

    Returns
    -------
    Widths
    """
    best, chosen = np.inf, None
    bare = Widths(_groups(held_out), NONE, 1.0, 1.0, NONE, 1.0, NONE, estimated)
    known = _Sample.of(held_out, bare)
    strange = [_Sample.of(predictions, bare, family) for family, predictions in left_out.items()]
    for shape in _shapes(bare):
        widths, cost = _fitted(shape, known, strange)
        if cost < best:
            best, chosen = cost, widths
    assert chosen is not None
    facts = {
        "models": len(held_out.measured_ms),
        "coverage": COVERAGE,
        "families_left_out": sorted(left_out),
        "left_out_coverage": LEFT_OUT_COVERAGE,
    }
    return replace(chosen, facts=facts)


class _Sample(NamedTuple):
    """Models that a fit has not seen: log(measured / predicted), the place of the nearest group, how far."""

    error: Floats
    predictions: Predictions
    nearest: Any
    distance: Floats

    @classmethod
    def of(cls, predictions: Predictions, widths: Widths, left_out: str | None = None) -> _Sample:
        """Compare models with all groups but one."""
        places = [place for place, group in enumerate(widths.groups) if group.name != left_out]
        distances = np.stack([widths.groups[place].distance(predictions.hard.profile) for place in places])
        nearest = np.array(places)[distances.argmin(axis=0)]
        return cls(-predictions.log_error, predictions, nearest, distances.min(axis=0))


def _groups(held_out: Predictions) -> tuple[Group, ...]:
    least = np.array([_LEAST_LOG if name.startswith("log") else _LEAST_SHARE for name in PROFILE])
    groups = []
    for family in map(str, np.unique(held_out.families)):
        profile = held_out.hard.profile[held_out.families == family]
        center, scale = profile.mean(axis=0), np.maximum(profile.std(axis=0), least)
        group = Group(family, center, scale, 1.0, NONE)
        groups.append(replace(group, radius=max(float(np.quantile(group.distance(profile), _INSIDE)), 0.5)))
    return tuple(groups)


def _shapes(bare: Widths) -> Iterator[Widths]:
    """Widths whose additions have all shapes that are tried, not yet their size."""
    for (unlike, epistemic, outside), ramp, deviation_scale in product(_WEIGHTS, _RAMPS, _DEVIATION_SCALES):
        if (not unlike and ramp != _RAMPS[0]) or (not epistemic and deviation_scale != _DEVIATION_SCALES[0]):
            continue
        yield replace(
            bare,
            unlike=Sides(unlike, unlike),
            edge=ramp[0],
            unlike_scale=ramp[1],
            epistemic=Sides(epistemic, epistemic),
            deviation_scale=deviation_scale,
            outside=Sides(outside, outside),
        )


def _fitted(shape: Widths, known: _Sample, strange: list[_Sample]) -> tuple[Widths, float]:
    """Size the additions so that every left-out family is covered, and the groups by what is left."""
    bare = replace(shape, unlike=NONE, epistemic=NONE, outside=NONE)
    side = 0.5 + LEFT_OUT_COVERAGE / 2.0
    units, of_estimates = [], []
    for sample in (known, *strange):
        of_estimates.append(bare.beyond(sample.predictions.hard, sample.distance))
        whole = shape.beyond(sample.predictions.hard, sample.distance)
        units.append(np.maximum(whole.below - of_estimates[-1].below, 1e-6))
    size, own = NONE, np.zeros((2, len(shape.groups)))

    def known_groups() -> Floats:
        return _known(known.error, known.nearest, of_estimates[0] + size * units[0], len(shape.groups))

    for _ in range(_ROUNDS):
        own = known_groups()
        needed: list[list[float]] = [[], []]
        for sample, unit, estimate in zip(strange, units[1:], of_estimates[1:]):
            below, above = own[:, sample.nearest]
            needed[0].append(conformal((-sample.error - below - estimate.below) / unit, side))
            needed[1].append(conformal((sample.error - above - estimate.above) / unit, side))
        size = Sides(*(max(conformal(np.array(one), 0.9), 0.0) if one else 0.0 for one in needed))
    own = known_groups()
    widths = replace(
        shape,
        groups=_sized(shape.groups, own),
        unlike=shape.unlike * size,
        epistemic=shape.epistemic * size,
        outside=shape.outside * size,
    )
    if max(size.below, size.above) > _LARGEST:
        return widths, float("inf")
    wide = [
        float(np.mean(own[:, one.nearest].sum(axis=0) + (size.below + size.above) * unit + e.below + e.above))
        for one, unit, e in zip((known, *strange), units, of_estimates)
    ]
    left_out = float(np.mean(wide[1:])) if strange else 1.0
    return widths, float(np.log(wide[0]) + _LEFT_OUT_WEIGHT * np.log(left_out))


def cross_fitted(held_out: Predictions, widths: Widths) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of models that the groups were calibrated on.

    Each half of the models gets what the other half says about the groups; what is added stays as it is.
    """
    sample = _Sample.of(held_out, widths)
    beyond = widths.beyond(held_out.hard, sample.distance)
    low_ms, high_ms = np.empty(len(sample.error)), np.empty(len(sample.error))
    even = np.arange(len(sample.error)) % 2 == 0
    for judged in (even, ~even):
        other = Sides(beyond.below[~judged], beyond.above[~judged])
        own = _known(sample.error[~judged], sample.nearest[~judged], other, len(widths.groups))
        fitted = replace(widths, groups=_sized(widths.groups, own))
        low_ms[judged], high_ms[judged] = held_out.only(judged).interval_ms(fitted)
    return low_ms, high_ms


def _known(error: Floats, place: Any, beyond: Sides, groups: int) -> Floats:
    """Half widths of the groups below and above, shape (2, groups), beside what is added."""
    side = 0.5 + COVERAGE / 2.0
    own = np.full((2, groups), LEAST)
    for group in range(groups):
        members = place == group
        # A group that no model is nearest to is as wide as all of them.
        chosen = members if members.any() else np.ones(len(place), dtype=bool)
        for row, values in enumerate((-error - beyond.below, error - beyond.above)):
            own[row, group] = max(conformal(values[chosen], side), LEAST)
    return own


def _sized(groups: Sequence[Group], own: Floats) -> tuple[Group, ...]:
    return tuple(
        replace(group, known=Sides(float(below), float(above))) for group, below, above in zip(groups, *own)
    )


def conformal(values: Floats, level: float) -> float:
    """Return the quantile that a further value stays below with probability `level` at least.

    It is the ceil((n + 1) level)-th smallest of n values, or the largest where n is too small for that (Vovk,
    Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005).
    """
    n = len(values)
    return float(np.sort(values)[min(ceil((n + 1) * level - 1e-9), n) - 1])
