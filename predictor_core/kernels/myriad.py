"""How the convolution engine of the Myriad X divides a convolution, as numbers that its latency jumps with.

The engine multiplies blocks of input channels with blocks of output channels. In mode *b* (1, 2, 4, 8 or 16
RAM blocks) it takes b input channels at a time and yields 256 / b output channels per descriptor. The
coefficients of one block must fit 256 entries; when no mode allows it, the input channels are split, and the
partial results are summed by the vector processors.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_COEFFICIENTS = 256
_OUTPUT_ALIGNMENT = 8
#: RAM blocks -> cycles that a descriptor takes beyond its multiplications.
_OVERHEAD = {1: 0, 2: 5, 4: 11, 8: 19, 16: 31}
_MOST_BLOCKS = 16


class Schedule(NamedTuple):
    """Cheapest way to run a convolution on the engine.

    Parameters
    ----------
    cycles : int
        Per output pixel, up to a constant.
    blocks : int
        RAM blocks of the mode.
    descriptors : int
        Passes over the output channels.
    splits : int
        Parts that the input channels are cut into.
    """

    cycles: int
    blocks: int
    descriptors: int
    splits: int


@lru_cache(maxsize=2**16)
def schedule(cin: int, cout: int, window: int) -> Schedule:
    """Cheapest schedule of a dense convolution with `window` = kernel height x width."""
    most_channels = max(_COEFFICIENTS // window, 1) * _MOST_BLOCKS
    splits = -(-cin // most_channels)
    channels = -(-cin // splits)
    aligned = -(-cout // _OUTPUT_ALIGNMENT) * _OUTPUT_ALIGNMENT
    least, best = 2**62, (0, 0)
    for blocks, overhead in _OVERHEAD.items():
        coefficients = -(-channels // blocks) * window
        if coefficients > _COEFFICIENTS and blocks < _MOST_BLOCKS:
            continue
        descriptors = -(-aligned * blocks // _COEFFICIENTS)
        cycles = (coefficients + overhead) * descriptors * splits
        if cycles < least:
            least, best = cycles, (blocks, descriptors)
    return Schedule(least, *best, splits)
