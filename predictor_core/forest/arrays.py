"""Trees as flat arrays, descended in numpy for many rows at once.

All trees of all forests of a device stand in one set of arrays in breadth-first order: first the
roots, then each level. The two children of a node are neighbours, so one `left` index places both,
and a leaf points at itself with an infinite threshold, so that descending needs no branch.
Rows go left where ``float32(x) <= threshold``, as scikit-learn's trees do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PackError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

#: Levels between two looks at which rows have reached a leaf.
_LEVELS = 8

#: A node is one number, so that a step reads it at once: its left child, and the feature in the lowest bits.
#: Arrays, for numpy takes longer to convert a number than to use it.
_BITS: NDArray[np.int64] = np.array(16, np.int64)
_FEATURE: NDArray[np.int64] = np.array(2**16 - 1, np.int64)


class Tree(NamedTuple):
    """One decision tree in scikit-learn's layout: arrays over nodes, -1 as the child of a leaf."""

    children_left: Ints
    children_right: Ints
    feature: Ints
    threshold: Floats
    value: Floats


class TreeArrays(NamedTuple):
    """Breadth-first arrays of one or more trees.

    Parameters
    ----------
    node : (n,) int64
        Left child and feature of each node.
    threshold : (n,) floats
        Its threshold; +inf at leaves.
    value : (n,) floats
        Prediction of a leaf; meaningless elsewhere.
    n_trees : int
        The first `n_trees` nodes are roots.
    """

    node: NDArray[np.int64]
    threshold: Floats
    value: Floats
    n_trees: int

    @property
    def feature(self) -> NDArray[np.int64]:
        """Column that each node compares, shape (n,); 0 at leaves."""
        return self.node & _FEATURE

    @property
    def left(self) -> NDArray[np.int64]:
        """Left child of each node, shape (n,); the right one is the next. A leaf's own index."""
        return self.node >> _BITS

    @classmethod
    def from_trees(cls, trees: Sequence[Tree]) -> TreeArrays:
        """Lay `trees` out breadth first.

        Raises
        ------
        PackError
            When the child indices are not those of trees: out of range, shared, or in a cycle.
        """
        if not trees:
            raise PackError("a forest needs at least one tree")
        sizes = [len(tree.feature) for tree in trees]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        left = np.concatenate(
            [np.where(t.children_left < 0, -1, t.children_left + s) for t, s in zip(trees, starts)]
        )
        right = np.concatenate(
            [np.where(t.children_right < 0, -1, t.children_right + s) for t, s in zip(trees, starts)]
        )
        total = int(sum(sizes))
        if min(sizes) == 0 or max(left.max(), right.max()) >= total or np.any((left < 0) != (right < 0)):
            raise PackError("a tree of the forest has no nodes, or a child out of range")
        level = starts
        levels = [level]
        reached = len(level)
        while True:
            inner = level[left[level] >= 0]
            if not len(inner):
                break
            level = np.stack([left[inner], right[inner]], axis=1).ravel()
            reached += len(level)
            if reached > total:
                raise PackError("the child indices of a tree form a cycle")
            levels.append(level)
        order = np.concatenate(levels)
        if np.bincount(order).max() > 1:
            raise PackError("two nodes of a tree share a child")
        # Nodes that no root reaches (a pruned tree leaves some) are dropped.
        leaf = left[order] < 0
        feature = np.concatenate([t.feature for t in trees])[order]
        threshold = np.concatenate([t.threshold for t in trees])[order]
        value = np.concatenate([np.ravel(t.value) for t in trees])[order]
        return cls.from_breadth_first(leaf, feature[~leaf], threshold[~leaf], value[leaf], len(trees))

    @classmethod
    def from_breadth_first(
        cls, leaf: NDArray[np.bool_], feature: Ints, threshold: Floats, value: Floats, n_trees: int
    ) -> TreeArrays:
        """Build the arrays from what a pack stores.

        Parameters
        ----------
        leaf : (n,) bool
            Which nodes are leaves, breadth first.
        feature, threshold : (number of inner nodes,)
            In the order of the inner nodes.
        value : (number of leaves,)
            In the order of the leaves.
        n_trees : int
            Number of roots.

        Raises
        ------
        PackError
            When the parts don't make a forest.
        """
        n = len(leaf)
        inner = np.flatnonzero(~leaf)
        if (
            n_trees < 1
            or n != n_trees + 2 * len(inner)
            or len(feature) != len(inner)
            or len(threshold) != len(inner)
        ):
            raise PackError(f"{n} nodes with {len(inner)} inner ones do not make {n_trees} trees")
        if len(value) != n - len(inner):
            raise PackError(f"{len(value)} leaf values for {n - len(inner)} leaves")
        children = np.arange(n_trees, n, 2, dtype=np.int64)
        if np.any(children <= inner):
            raise PackError("a tree of the forest contains a cycle")
        if len(inner) and not 0 <= feature.min() <= feature.max() <= _FEATURE:
            raise PackError(f"a tree compares a feature outside 0..{_FEATURE}")
        if np.any(np.isnan(threshold)) or not np.all(np.isfinite(value)):
            raise PackError("a threshold or a leaf value of the forest is not a finite number")
        node = np.arange(n, dtype=np.int64) << _BITS
        node[inner] = children << _BITS | feature
        thresholds = np.full(n, np.inf, dtype=threshold.dtype)
        thresholds[inner] = threshold
        values = np.zeros(n, dtype=value.dtype)
        values[leaf] = value
        return cls(node, thresholds, values, n_trees)

    def descend(self, x: NDArray[np.float32], rows: Ints, nodes: Ints) -> Ints:
        """Follow each (row, start node) pair down to its leaf.

        Parameters
        ----------
        x : (n, d) float32
            Feature rows.
        rows, nodes : (m,)
            Row of `x` and node to start from, pairwise.

        Returns
        -------
        (m,) integers
            The leaf of each pair.
        """
        flat = np.ascontiguousarray(x).ravel()
        offsets = np.asarray(rows, dtype=np.intp) * x.shape[1]
        nodes = np.asarray(nodes, dtype=np.intp)
        node, threshold = self.node, self.threshold
        leaves = np.empty_like(nodes)
        active = np.arange(len(nodes))
        while True:
            # In place: for the few rows of most calls, new arrays cost as much as the numbers in them.
            for _ in range(_LEVELS):
                found = node[nodes]
                at = found & _FEATURE
                at += offsets
                found >>= _BITS
                found += flat[at] > threshold[nodes]
                nodes = found
            leaves[active] = nodes
            inner = np.flatnonzero(node[nodes] >> _BITS != nodes)
            if not len(inner):
                return leaves
            active, offsets, nodes = active[inner], offsets[inner], nodes[inner]
