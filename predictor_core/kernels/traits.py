"""What of a kernel, beside its type and size, a device may be good or bad at.

Each trait is a number of which the logarithm of the latency is a multiple, the same for all types of kernels:
a device rounds channels up to its registers whatever it computes with them, so that a few measurements of any
kernels tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log

from predictor_core.kernels.costs import Cost
from predictor_core.kernels.spec import ONE, KernelSpec

#: MACs per byte of a kernel that arithmetic bounds by half.
_RIDGE = 32.0
#: Channels that a register, or a block of a blocked layout, holds: 16 floats in 512 bits.
_BLOCK = 16
#: Vectors of 256 bits hold 8 floats, a layout blocked by them no other number of channels.
_VECTOR = 8
#: Fewest channels for which Winograd's transforms of inputs and outputs pay off.
_WINOGRAD_CHANNELS = 64
#: Rows of so many channels start at the same places in a cache, and evict each other.
_ALIASED_CHANNELS = 256
#: Bytes of a kernel whose data stay in the first-level cache to a half.
_SMALL_BYTES = 30e3
_DENSE = frozenset({"conv", "convtranspose", "groupconv"})


def arithmetic(spec: KernelSpec, cost: Cost) -> float:
    """Share of arithmetic in what bounds the kernel: siblings differ in its ratio to memory first of all."""
    intensity = cost.macs / max(cost.bytes, 1)
    return intensity / (intensity + _RIDGE)


def padded(spec: KernelSpec, cost: Cost) -> float:
    """Logarithm of how many channels are computed over how many are asked for."""
    channels = _channels(spec)[1]
    return log(-(-channels // _BLOCK) * _BLOCK / channels)


def unaligned(spec: KernelSpec, cost: Cost) -> float:
    """1 where the channels do not fill whole vectors: a runtime may have a slower layout for them."""
    return float(_channels(spec)[1] % _VECTOR != 0)


def winograd(spec: KernelSpec, cost: Cost) -> float:
    """1 where Winograd's algorithm (Lavin and Gray, 2016) pays off, for a runtime that has it."""
    return float(
        spec.op == "conv"
        and spec.kernel == (3, 3)
        and spec.strides == spec.dilations == ONE
        and min(_channels(spec)) >= _WINOGRAD_CHANNELS
    )


def aliased(spec: KernelSpec, cost: Cost) -> float:
    """1 where the pixels that are read lie at multiples of a power of two from each other."""
    return float(spec.op in _DENSE and _channels(spec)[0] % _ALIASED_CHANNELS == 0)


def small(spec: KernelSpec, cost: Cost) -> float:
    """Share of a kernel's data that the first-level cache holds."""
    return _SMALL_BYTES / (_SMALL_BYTES + cost.bytes)


#: Trait -> its value for a kernel. The effect of a trait has its name and a colon.
TRAITS: Mapping[str, Callable[[KernelSpec, Cost], float]] = {
    "arithmetic": arithmetic,
    "padded": padded,
    "unaligned": unaligned,
    "winograd": winograd,
    "aliased": aliased,
    "small": small,
}


def _channels(spec: KernelSpec) -> tuple[int, int]:
    """Channels that an output reads and that are computed together, one group's of a grouped convolution."""
    read = (spec.inputs[0][-1] if spec.inputs and spec.inputs[0] else 1) or 1
    made = (spec.output[-1] if spec.output else 1) or 1
    if spec.op == "groupconv":
        return max(read // spec.groups, 1), max(made // spec.groups, 1)
    return read, made
