"""Prediction intervals: how far a measurement may lie from the prediction, to either side.

The half widths are those of the measured family of architectures that a model is most like (a conformal
prediction that is calibrated for each group by itself; Vovk, Lindsay, Nouretdinov and Gammerman, "Mondrian
confidence machine", 2003), plus what makes the model unlike that family: the distance of its profile, kernels
that the trees disagree about or that lie outside the training range, and estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from predictor_core.kernels.estimates import KINDS
from predictor_core.predictor.hardness import PROFILE, Hardness

#: Largest half width in the logarithm: a factor of 22000 to either side.
MOST = 10.0

Numbers = TypeVar("Numbers", float, NDArray[np.float64])
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sides:
    """Half widths in the logarithm of the latency.

    Parameters
    ----------
    below, above : float or (n,) float64
        How far the measurement may lie below the prediction, and above it.
    """

    below: Any
    above: Any

    def __add__(self, other: Sides) -> Sides:
        return Sides(self.below + other.below, self.above + other.above)

    def __mul__(self, factor: Any) -> Sides:
        """Scale both sides alike, or each by its own of another `Sides`."""
        of_below, of_above = (factor.below, factor.above) if isinstance(factor, Sides) else (factor, factor)
        return Sides(self.below * of_below, self.above * of_above)


NONE = Sides(0.0, 0.0)


@dataclass(frozen=True)
class Group:
    """Architectures that are alike: one family of those that were measured.

    Parameters
    ----------
    name : str
    center, scale : (len(PROFILE),) float64
        Of the profiles of its models.
    radius : float
        Root mean square distance from the center, in units of `scale`, that nearly all of its models keep.
    known : Sides
        Half widths of its models.
    """

    name: str
    center: Floats
    scale: Floats
    radius: float
    known: Sides

    def distance(self, profile: Floats) -> Floats:
        """Distance of profiles from the group; nearly all of its own have less than one. Shape (n,)."""
        off = (profile - self.center) / self.scale
        return np.asarray(np.sqrt((off**2).mean(axis=1)) / self.radius)


@dataclass(frozen=True)
class Widths:
    """How wide the intervals of a predictor are.

    Parameters
    ----------
    groups : tuple of Group
        At least one.
    unlike : Sides
        The most that the distance from the nearest group adds.
    edge, unlike_scale : float
        Distance from which on it adds something, and by how much more it adds 63 % of that.
    epistemic : Sides
        The most that disagreement of the trees adds.
    deviation_scale : float
        Ensemble standard deviation at which it adds 63 % of that.
    outside : Sides
        What a model would get of which every kernel is outside the training range.
    estimated : mapping of str to Sides
        The same for a model of nothing but estimates of a kind (`predictor_core.kernels.estimates.KINDS`).
    facts : mapping
        Provenance.
    """

    groups: tuple[Group, ...]
    unlike: Sides
    edge: float
    unlike_scale: float
    epistemic: Sides
    deviation_scale: float
    outside: Sides
    estimated: Mapping[str, Sides]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def flat(cls, constants: Mapping[str, float]) -> Widths:
        """Half widths that are the same for all architectures and to both sides.

        Parameters
        ----------
        constants : mapping
            Half widths of a model whose kernels are all inside (``inside``) or all outside (``outside``) the
            training range, or all estimates (``estimated``); the most that the deviation adds
            (``unfamiliar``) and the deviation at which it adds 63 % of that (``spread_scale``).

        Raises
        ------
        KeyError, TypeError, ValueError
            One is absent, no number, or out of range.
        """
        values = {}
        for key in ("inside", "outside", "estimated", "unfamiliar", "spread_scale"):
            values[key] = float(constants[key])
            if not 0.0 <= values[key] <= MOST or (key == "spread_scale" and not values[key]):
                raise ValueError(f"interval: {key} is {values[key]!r}")
        inside = values["inside"]
        everywhere = Group(
            "", np.zeros(len(PROFILE)), np.full(len(PROFILE), np.inf), 1.0, Sides(inside, inside)
        )
        more = {key: max(values[key] - inside, 0.0) for key in ("outside", "estimated")}
        epistemic = values["unfamiliar"]
        return cls(
            groups=(everywhere,),
            unlike=NONE,
            edge=1.0,
            unlike_scale=1.0,
            epistemic=Sides(epistemic, epistemic),
            deviation_scale=values["spread_scale"],
            outside=Sides(more["outside"], more["outside"]),
            estimated={name: Sides(more["estimated"], more["estimated"]) for name in KINDS},
        )

    def without(self, family: str) -> Widths:
        """Return those for models of a family that was not measured."""
        return replace(self, groups=tuple(group for group in self.groups if group.name != family))

    def half(self, hard: Hardness) -> Sides:
        """Return the half widths of models in the logarithm, each side of shape (n,)."""
        distances = np.stack([group.distance(hard.profile) for group in self.groups])
        nearest = distances.argmin(axis=0)
        known = Sides(
            np.array([group.known.below for group in self.groups])[nearest],
            np.array([group.known.above for group in self.groups])[nearest],
        )
        return known + self.beyond(hard, distances.min(axis=0))

    def beyond(self, hard: Hardness, distance: Floats) -> Sides:
        """Return what is added to the half widths of the nearest group, each side of shape (n,)."""
        excess = np.maximum(distance - self.edge, 0.0)
        added = (
            self.unlike * saturating(excess, self.unlike_scale)
            + self.epistemic * saturating(hard.deviation, self.deviation_scale)
            + self.outside * hard.outside
        )
        for place, name in enumerate(KINDS):
            added = added + self.estimated[name] * hard.estimated[:, place]
        return added

    def interval_ms(self, predicted_ms: Floats, hard: Hardness) -> tuple[Floats, Floats]:
        """Return the ends of intervals that hold nine of ten measured latencies, each of shape (n,)."""
        half = self.half(hard)
        below, above = (np.minimum(side, MOST) for side in (half.below, half.above))
        return predicted_ms * np.exp(-below), predicted_ms * np.exp(above)


def saturating(value: Numbers, scale: float) -> Numbers:
    """Rise from 0 to 1: 63 % at `scale`."""
    part: Numbers = 1.0 - np.exp(-value / scale)
    return part


def epistemic(deviation: Numbers, constants: Mapping[str, float]) -> Numbers:
    """Return what the deviation adds to a half width that is the same for all models (`Widths.flat`)."""
    return constants["unfamiliar"] * saturating(deviation, constants["spread_scale"])
