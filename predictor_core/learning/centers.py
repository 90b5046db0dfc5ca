"""Where the corrections of neighbourhoods have their centers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from predictor_core.kernels import KernelSpec
from predictor_core.kernels.coordinates import coordinates, group

#: How far from all centers, in lengths of the correction, a kernel is worth one more.
NEAREST = 0.3


def place_centers(
    specs: Sequence[KernelSpec],
    known: Mapping[str, tuple[tuple[float, ...], ...]],
    limits: Mapping[str, int],
    nearest: float = NEAREST,
) -> dict[str, tuple[tuple[float, ...], ...]]:
    """Choose centers among kernels, each the farthest from those before it.

    Parameters
    ----------
    specs : sequence of KernelSpec
    known : mapping of str to points
        Centers that stay, in their order.
    limits : mapping of str to int
        Most centers of each group.
    nearest : float
        Distance from all centers at which a kernel is worth no new one.
    """
    groups = np.array([group(spec) for spec in specs])
    placed = dict(known)
    for name, most in limits.items():
        if not (groups == name).any():
            continue
        # Rounded as they are written, so that a loaded header computes the same.
        own = coordinates([spec for spec, mine in zip(specs, groups == name) if mine])
        points = np.unique(np.round(own, 3), axis=0)
        chosen = [tuple(point) for point in placed.get(name, ())]
        if not chosen:
            chosen.append(
                tuple(points[np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))].tolist())
            )
        distance = ((points[:, None, :] - np.array(chosen)[None]) ** 2).sum(axis=2).min(axis=1)
        while len(chosen) < most and distance.max() > nearest**2:
            farthest = points[int(np.argmax(distance))]
            chosen.append(tuple(farthest.tolist()))
            distance = np.minimum(distance, ((points - farthest) ** 2).sum(axis=1))
        placed[name] = tuple(chosen)
    return placed
