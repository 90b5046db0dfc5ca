"""Where a kernel lies among its like: a few coordinates in which neighbours have similar latency.

A correction that is learned for some kernels holds for those near them, and fades with the distance. One
unit of a coordinate is the distance at which the correlation of two kernels' corrections has fallen to
exp(-1/2): a factor of e^2 in pixels, of e^1.5 in channels or the area of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, prod

import numpy as np
from numpy.typing import NDArray

from predictor_core.kernels.spec import KernelSpec

#: Names of the coordinates: pixels of the output, channels read by an output, channels, window, stride.
NAMES = ("pixels", "channels_in", "channels_out", "window", "stride")
_UNITS = (2.0, 1.5, 1.5, 1.5, 0.75)

#: Ops whose corrections are smooth in their coordinates, by group.
_GROUPS = {
    "conv": "conv",
    "convtranspose": "conv",
    "dwconv": "dwconv",
    "groupconv": "groupconv",
    "fc": "product",
    "matmul": "product",
}
#: Ops that share a rate, by family; each op of `map` has a rate of its own below it.
_FAMILIES = {**_GROUPS, "convtranspose": "conv", "lstm": "product", "gru": "product", "rnn": "product"}


#: Largest window areas of the sorts of convolutions; beyond the last they are large.
_WINDOWS = (1, 9, 25)


def group(spec: KernelSpec) -> str:
    """Group whose coordinates are comparable: ``conv``, ``dwconv``, ``groupconv``, ``product`` or ``map``."""
    return _GROUPS.get(spec.op, "map")


def family(spec: KernelSpec) -> str:
    """Kernels that share a rate: the group, with the pools apart from other maps."""
    return _FAMILIES.get(spec.op) or ("pool" if "pool" in spec.op else "map")


def sort(spec: KernelSpec) -> str:
    """Finest class with a rate of its own: the op, and for convolutions the size of the window."""
    window = spec.kernel[0] * spec.kernel[1]
    if spec.op in ("conv", "convtranspose", "dwconv", "groupconv"):
        return f"{spec.op}/{next((limit for limit in _WINDOWS if window <= limit), 'large')}"
    return spec.op


def coordinates(specs: Sequence[KernelSpec]) -> NDArray[np.float64]:
    """Coordinates of kernels, shape (len(specs), len(NAMES))."""
    return np.array([_coordinates(spec) for spec in specs], dtype=np.float64).reshape(-1, len(NAMES))


def _coordinates(spec: KernelSpec) -> tuple[float, ...]:
    shape = spec.output or (1,)
    pixels = prod(shape[:-1]) or 1
    channels_in = (spec.inputs[0][-1] if spec.inputs and spec.inputs[0] else 1) or 1
    channels_out = shape[-1] or 1
    if spec.op == "groupconv":
        channels_in = max(channels_in // spec.groups, 1)
    window = spec.kernel[0] * spec.kernel[1]
    stride = spec.strides[0] * spec.strides[1]
    raw = (pixels, channels_in, channels_out, window, stride)
    return tuple(log(value) / unit for value, unit in zip(raw, _UNITS))
