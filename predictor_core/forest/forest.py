"""Forests: some trees of a set of arrays, evaluated for many rows, and several forests at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PackError
from predictor_core.forest.arrays import Floats, Tree, TreeArrays

Combine = Literal["mean", "sum"]


class Forest(NamedTuple):
    """Some trees of a set of arrays, and how their predictions are put together.

    Parameters
    ----------
    arrays : TreeArrays
        Shared by all forests of a device.
    first, last : int
        Its trees are ``first <= t < last``.
    n_features : int
        Columns that a row must have.
    combine : {"mean", "sum"}
        ``mean``: a random forest. ``sum``: boosted trees.
    """

    arrays: TreeArrays
    first: int
    last: int
    n_features: int
    combine: Combine = "mean"

    @classmethod
    def from_trees(cls, trees: Sequence[Tree], n_features: int, combine: Combine = "mean") -> Forest:
        """Build a forest of its own arrays from trees in scikit-learn's layout.

        Raises
        ------
        PackError
            When the trees are malformed.
        """
        arrays = TreeArrays.from_trees(trees)
        if arrays.feature.max() >= n_features:
            raise PackError(f"a tree compares a feature outside 0..{n_features - 1}")
        return cls(arrays, 0, len(trees), n_features, combine)

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return self.last - self.first

    def predict(self, x: Any) -> NDArray[np.float64]:
        """Prediction for each row.

        Parameters
        ----------
        x : (n, n_features) array-like
            Cast to float32, as scikit-learn does.

        Returns
        -------
        (n,) float64

        Raises
        ------
        ValueError
            When `x` has another number of columns, or holds a NaN.
        """
        rows = np.asarray(x, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise ValueError(
                f"expected rows of {self.n_features} features, got an array of shape {rows.shape}"
            )
        return predict_rows([(self, len(rows))], rows)[0]


def predict_rows(
    work: Sequence[tuple[Forest, int]], x: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Evaluate several forests that share their arrays on the rows of one matrix.

    Parameters
    ----------
    work : sequence of (Forest, int)
        At least one forest, all on the same `TreeArrays`, and how many of the rows are its own, in order.
    x : (n, widest) array
        Rows of fewer features end in anything that is a number.

    Returns
    -------
    predictions, deviations : (n,) float64
        Prediction for each row, and the standard deviation of what the trees say; 0 where they are added up.

    Raises
    ------
    ValueError
        When `x` holds a NaN.
    """
    x32 = x.astype(np.float32)
    if np.isnan(x32).any():
        raise ValueError("a feature is not a number")
    arrays = work[0][0].arrays
    predictions, deviations = np.empty(len(x32)), np.zeros(len(x32))
    row = 0
    # Forests of as many trees are evaluated at once.
    for (n_trees, combine), forests in groupby(work, key=lambda one: (one[0].n_trees, one[0].combine)):
        alike = list(forests)
        firsts = np.repeat([forest.first for forest, _ in alike], [n for _, n in alike])
        rows = np.arange(row, row + len(firsts))
        roots = firsts[:, None] + np.arange(n_trees)
        leaves = arrays.descend(x32, np.repeat(rows, n_trees), roots.ravel())
        values = arrays.value[leaves].astype(np.float64).reshape(roots.shape)
        if combine == "sum":
            predictions[rows] = values.sum(axis=1)
        else:
            # As `mean` and `std` of numpy have it, without the checks that take them longer than the sums.
            means = values.sum(axis=1) / n_trees
            centred = values - means[:, None]
            predictions[rows] = means
            deviations[rows] = np.sqrt((centred * centred).sum(axis=1) / n_trees)
        row += len(rows)
    return predictions, deviations
