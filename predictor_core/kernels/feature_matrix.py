"""Feature matrices: what each forest sees of many kernels at once, from a few numbers per kernel.

Three sorts of numbers describe a kernel. *Quantities* are positive and enter as logarithms. *Channels*
enter by what blocks of 4, 8 and 16 make of them, because devices work on such blocks. *Plain* numbers stay
as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.kernels.costs import Cost
from predictor_core.kernels.spec import KernelSpec

_BLOCKS = np.array([4.0, 8.0, 16.0])
_COUNTED = np.array([8.0, 16.0])
_MODULI = np.array([2.0, 4.0, 8.0, 16.0])
_PER_CHANNEL = len(_BLOCKS) + len(_COUNTED) + len(_MODULI)


class Layout(NamedTuple):
    """Names of the numbers that a kind's raw function returns, in this order."""

    quantities: tuple[str, ...]
    channels: tuple[str, ...]
    plain: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feature columns."""
        names = [f"log_{name}" for name in self.quantities]
        for channel in self.channels:
            names += [f"{channel}_pad{int(block)}" for block in _BLOCKS]
            names += [f"{channel}_blocks{int(block)}" for block in _COUNTED]
            names += [f"{channel}_mod{int(modulus)}" for modulus in _MODULI]
        return (*names, *self.plain)


RawFunction = Callable[[KernelSpec, Cost], tuple[float, ...]]


class FeatureSet(NamedTuple):
    """Features of one forest: names and the function that measures a spec."""

    layout: Layout
    raw: RawFunction

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of `matrix`."""
        return self.layout.names

    def matrix(self, specs: Sequence[KernelSpec], costs: Sequence[Cost]) -> NDArray[np.float64]:
        """Features of several specs.

        Parameters
        ----------
        specs : sequence of KernelSpec
            Kernels that this set describes.
        costs : sequence of Cost
            Their analytic costs.

        Returns
        -------
        ndarray, shape (len(specs), len(self.names))
        """
        raw_function = self.raw
        raw = np.array([raw_function(spec, cost) for spec, cost in zip(specs, costs)], dtype=np.float64)
        logs, channels = len(self.layout.quantities), len(self.layout.channels)
        columns = np.empty((len(raw), logs + channels * _PER_CHANNEL + len(self.layout.plain)))
        np.log(raw[:, :logs], out=columns[:, :logs])
        if channels:
            width = raw[:, logs : logs + channels, None]
            per_channel = columns[:, logs : logs + channels * _PER_CHANNEL].reshape(
                len(raw), channels, _PER_CHANNEL
            )
            per_channel[:, :, :3] = np.ceil(width / _BLOCKS) * _BLOCKS / width
            per_channel[:, :, 3:5] = np.ceil(width / _COUNTED)
            per_channel[:, :, 5:] = width % _MODULI
            columns[:, logs : logs + channels * _PER_CHANNEL] = per_channel.reshape(len(raw), -1)
        columns[:, logs + channels * _PER_CHANNEL :] = raw[:, logs + channels :]
        return columns
