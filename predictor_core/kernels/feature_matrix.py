"""Feature matrices: what each forest sees of many kernels at once, from a few numbers per kernel.

Three sorts of numbers describe a kernel. *Quantities* are positive and enter as logarithms. *Channels*
enter by what blocks of 4, 8 and 16 make of them, because devices work on such blocks. *Plain* numbers stay
as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
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
    def width(self) -> int:
        """Number of feature columns."""
        return len(self.quantities) + len(self.channels) * _PER_CHANNEL + len(self.plain)

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
        return feature_rows([(self, specs, costs)])


def feature_rows(
    work: Sequence[tuple[FeatureSet, Sequence[KernelSpec], Sequence[Cost]]],
) -> NDArray[np.float64]:
    """Features of kernels of several sorts, one sort below the other.

    Parameters
    ----------
    work : sequence of (FeatureSet, sequence of KernelSpec, sequence of Cost)
        Features of one sort, the kernels that they describe, and their analytic costs.

    Returns
    -------
    ndarray, shape (number of specs, features of the widest sort)
        Rows of fewer features end in zeros.
    """
    raw, quantities, widths = [], [], []
    sizes = [tuple(map(len, found.layout)) for found, _, _ in work]
    for (found, specs, costs), (logs, channels, others) in zip(work, sizes):
        n, length = len(specs), logs + channels + others
        numbers = chain.from_iterable(map(found.raw, specs, costs))
        block = np.fromiter(numbers, np.float64, n * length).reshape(n, length)
        raw.append(block)
        quantities.append(block[:, :logs].ravel())
        widths.append(block[:, logs : logs + channels].ravel())
    # One call of numpy for all sorts together: a model has few kernels of each.
    log_quantities = np.log(np.concatenate(quantities))
    by_channel = _channel_features(np.concatenate(widths))
    rows = np.zeros((sum(map(len, raw)), max([found.layout.width for found, _, _ in work])))
    row = log = width = 0
    for block, (logs, channels, others) in zip(raw, sizes):
        n, plain = len(block), logs + channels * _PER_CHANNEL
        part = rows[row : row + n]
        part[:, :logs] = log_quantities[log : log + n * logs].reshape(n, logs)
        part[:, logs:plain] = by_channel[width : width + n * channels].reshape(n, plain - logs)
        part[:, plain : plain + others] = block[:, logs + channels :]
        row, log, width = row + n, log + n * logs, width + n * channels
    return rows


def _channel_features(widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what blocks of channels make of numbers of channels, shape (len(widths), _PER_CHANNEL)."""
    column = widths[:, None]
    found = np.empty((len(widths), _PER_CHANNEL))
    found[:, :3] = np.ceil(column / _BLOCKS) * _BLOCKS / column
    found[:, 3:5] = np.ceil(column / _COUNTED)
    found[:, 5:] = column % _MODULI
    return found
