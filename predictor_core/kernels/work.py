"""What a device has to do for a kernel, in numbers that its latency grows with in proportion.

Each of them is a pure function of a kernel and its cost, never falls when a dimension grows, and multiplies
one coefficient of an analytic base (`predictor_core.kernels.base`).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Callable

from predictor_core.kernels.costs import ELEMENT_BYTES, Cost
from predictor_core.kernels.feature_sets import area
from predictor_core.kernels.myriad import schedule
from predictor_core.kernels.spec import KernelSpec

WorkFunction = Callable[[KernelSpec, Cost], float]

#: Elements in a row of the output over all channels that the Myriad X's convolution engine takes at full
#: speed: 16 KB. The slowdown beyond it levels off at this many times the time of the multiplications. Both
#: chosen on families left out (alexnet, resnet, vgg).
ROW_ELEMENTS = 8192
_MOST_SPILL = 2.0
#: Multiplications per cycle of that engine.
ENGINE_MULTIPLIERS = 256
#: Elements in half precision that a register of the Myriad X's vector processors holds (128 bits).
VECTOR_ELEMENTS = 8


def macs(spec: KernelSpec, cost: Cost) -> float:
    """Multiply-accumulates."""
    return cost.macs


def moved(spec: KernelSpec, cost: Cost) -> float:
    """Bytes read and written once."""
    return cost.bytes


def launch(spec: KernelSpec, cost: Cost) -> float:
    """One: what every kernel costs, however small."""
    return 1.0


def blocked_macs(block_in: int, block_out: int) -> WorkFunction:
    """Multiply-accumulates of a dense convolution that pads its channels to whole blocks."""

    def work(spec: KernelSpec, cost: Cost) -> float:
        channels_in, channels_out = spec.inputs[0][-1], spec.output[-1]
        blocks = -(-channels_in // block_in) * -(-channels_out // block_out)
        return cost.macs * (blocks * block_in * block_out) / (channels_in * channels_out)

    return work


def unfolded(spec: KernelSpec, cost: Cost) -> float:
    """Bytes of the input windows, copied out one by one (im2col); a pointwise convolution needs no copy."""
    window = spec.kernel[0] * spec.kernel[1]
    if window == 1 and spec.strides == (1, 1):
        return 0.0
    return float(ELEMENT_BYTES * prod(spec.output[:-1]) * window * spec.inputs[0][-1])


def reduction_depth(spec: KernelSpec, cost: Cost) -> float:
    """Multiply-accumulates that one output element sums up one after the other, however wide the device."""
    return cost.macs / prod(spec.output)


def engine_macs(spec: KernelSpec, cost: Cost) -> float:
    """Multiply-accumulates that the Myriad X's convolution engine has time for, used or not."""
    window = spec.kernel[0] * spec.kernel[1]
    cycles = schedule(spec.inputs[0][-1], spec.output[-1], window).cycles
    return float(ENGINE_MULTIPLIERS * cycles * prod(spec.output[:-1]))


def row_spill(spec: KernelSpec, cost: Cost) -> float:
    """`engine_macs` times how far a row of the output exceeds what the engine holds (0 if it doesn't)."""
    excess = area(spec.output)[0] * spec.output[-1] / ROW_ELEMENTS - 1.0
    return engine_macs(spec, cost) * excess / (1.0 + excess / _MOST_SPILL) if excess > 0.0 else 0.0


def permuted(spec: KernelSpec, cost: Cost) -> float:
    """Bytes of a permutation on vector processors: an element alone takes as long as a whole vector."""
    return VECTOR_ELEMENTS * cost.bytes


WORK: Mapping[str, WorkFunction] = MappingProxyType(
    {
        "macs": macs,
        "macs_4x4": blocked_macs(4, 4),
        "macs_4x8": blocked_macs(4, 8),
        "bytes": moved,
        "launch": launch,
        "unfolded": unfolded,
        "reduction_depth": reduction_depth,
        "engine_macs": engine_macs,
        "row_spill": row_spill,
        "permuted": permuted,
    }
)
