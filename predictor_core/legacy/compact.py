"""The forests of a 1.0 pack in the fewest bytes that keep its numbers, evaluated where they lie.

A 1.0 pack has tens of millions of nodes. Only inner nodes have a feature (one byte), a threshold (float32,
rounded down, which sends every float32 feature the same way) and two children; only leaves have a
value (float64). A child below zero is the leaf ``~child``. Nodes keep the order of their tree, so that a
descent in a memory-mapped file touches few pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictor_core.errors import PackError
from predictor_core.forest.arrays import Tree
from predictor_core.forest.pack import round_down_to_float32
from predictor_core.legacy.errors import ParityError
from predictor_core.legacy.sklearn_forest import PickledForest

#: Descents in one pass: bounds the memory of many rows times many trees.
_BLOCK = 1 << 19
#: No tree that was fitted is this deep.
_MAX_DEPTH = 4096

#: Type of each array, in the order of the file.
DTYPES: Mapping[str, np.dtype[Any]] = {
    "roots": np.dtype("<i4"),
    "children": np.dtype("<i4"),
    "threshold": np.dtype("<f4"),
    "value": np.dtype("<f8"),
    "feature": np.dtype("u1"),
}


class Slot(NamedTuple):
    """Trees ``first <= t < last`` are those of one forest, which reads rows of `n_features`."""

    first: int
    last: int
    n_features: int


@dataclass(frozen=True)
class CompactForests:
    """All forests of one pack.

    Parameters
    ----------
    slots : mapping
        Name of a forest -> its trees.
    roots : (trees,) int32
        Root of each tree: an inner node, or ``~leaf``.
    children : (2 * inner nodes,) int32
        Left and right child of each inner node, next to each other.
    threshold : (inner nodes,) float32
    feature : (inner nodes,) uint8
    value : (leaves,) float64
    """

    slots: Mapping[str, Slot]
    roots: NDArray[np.int32]
    children: NDArray[np.int32]
    threshold: NDArray[np.float32]
    value: NDArray[np.float64]
    feature: NDArray[np.uint8]

    @classmethod
    def from_pickled(cls, forests: Iterable[tuple[str, PickledForest]]) -> CompactForests:
        """Compact forests one after another; each may be forgotten when the next is asked for.

        Raises
        ------
        PackError
            There are none, or one has more features than a byte can name.
        """
        slots: dict[str, Slot] = {}
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in DTYPES}
        inner = leaves = trees = 0
        for name, forest in forests:
            if forest.n_features > 256:
                raise PackError(
                    f"forest {name!r} reads {forest.n_features} features; at most 256 are supported"
                )
            slots[name] = Slot(trees, trees + len(forest.trees), forest.n_features)
            trees += len(forest.trees)
            for tree in forest.trees:
                arrays = _compact(tree, inner, leaves)
                inner += len(arrays["feature"])
                leaves += len(arrays["value"])
                if max(2 * inner, leaves) >= 2**31:
                    raise PackError("the forests have more nodes than a 32-bit index can name")
                for part, array in arrays.items():
                    parts[part].append(array)
        if not slots:
            raise PackError("the pack holds no forest")
        return cls(slots, **{part: np.concatenate(arrays) for part, arrays in parts.items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, in the order of `DTYPES`."""
        return {name: getattr(self, name) for name in DTYPES}

    def predict(self, work: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
        """Evaluate several forests.

        Parameters
        ----------
        work : mapping
            Name of a forest -> rows, (n, n_features), cast to float32 as scikit-learn does.

        Returns
        -------
        dict of str to (n,) float64
            Mean of the trees for each row.

        Raises
        ------
        ParityError
            Rows that scikit-learn refuses: another number of features, a NaN or an infinity.
        PackError
            The arrays are corrupted.
        """
        rows = {name: _checked_rows(name, x, self.slots[name]) for name, x in work.items()}
        return {name: self._predict(self.slots[name], x) for name, x in rows.items()}

    def _predict(self, slot: Slot, x: NDArray[np.float32]) -> NDArray[np.float64]:
        roots = self.roots[slot.first : slot.last]
        out = np.empty(len(x))
        step = max(1, _BLOCK // len(roots))
        for first in range(0, len(x), step):
            part = x[first : first + step]
            rows = np.repeat(np.arange(len(part)), len(roots))
            values = self._descend(part, rows, np.tile(roots, len(part)))
            out[first : first + step] = values.reshape(-1, len(roots)).mean(axis=1)
        return out

    def _descend(
        self, x: NDArray[np.float32], rows: NDArray[Any], codes: NDArray[Any]
    ) -> NDArray[np.float64]:
        flat, offsets = x.ravel(), rows * x.shape[1]
        active = np.flatnonzero(codes >= 0)
        nodes = codes[active].astype(np.intp)
        leaves = codes.astype(np.intp)
        try:
            for _ in range(_MAX_DEPTH):
                if not len(active):
                    return self.value[~leaves]
                right = flat[offsets[active] + self.feature[nodes]] > self.threshold[nodes]
                nodes = self.children[2 * nodes + right].astype(np.intp)
                done = nodes < 0
                leaves[active[done]] = nodes[done]
                active, nodes = active[~done], nodes[~done]
        except IndexError as error:
            raise PackError(f"the forests are corrupted: {error}") from error
        raise PackError(f"the forests are corrupted: a tree is deeper than {_MAX_DEPTH}")


def _compact(tree: Tree, inner_before: int, leaves_before: int) -> dict[str, NDArray[Any]]:
    inner = tree.children_left >= 0
    codes = np.where(inner, inner_before + np.cumsum(inner) - 1, ~(leaves_before + np.cumsum(~inner) - 1))
    with np.errstate(over="ignore"):  # beyond float32: no row that is accepted is there
        threshold = round_down_to_float32(np.asarray(tree.threshold[inner], np.float64))
    children = np.stack([codes[tree.children_left[inner]], codes[tree.children_right[inner]]], axis=1)
    arrays = {
        "roots": codes[:1],
        "children": children.ravel(),
        "threshold": threshold,
        "value": tree.value[~inner],
        "feature": tree.feature[inner],
    }
    return {name: array.astype(DTYPES[name]) for name, array in arrays.items()}


def _checked_rows(name: str, x: ArrayLike, slot: Slot) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            rows = np.asarray(x, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParityError(f"the features for forest {name!r} are not numbers: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != slot.n_features:
        raise ParityError(
            f"forest {name!r} reads {slot.n_features} features, got rows of shape {rows.shape[1:]}; "
            "nn-Meter fails on them"
        )
    if not np.isfinite(rows).all():
        raise ParityError(f"a feature for forest {name!r} is infinite or not a number; nn-Meter fails on it")
    return rows
