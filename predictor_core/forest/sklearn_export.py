"""Array forests as scikit-learn objects, for tools that expect those."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import requires
from predictor_core.forest.arrays import Ints
from predictor_core.forest.forest import Forest


def to_sklearn(forest: Forest) -> Any:
    """Build a fitted ``RandomForestRegressor`` that predicts what the forest predicts.

    Parameters
    ----------
    forest : Forest
        Trees that are summed become trees that are averaged, their leaves scaled by their number.

    Returns
    -------
    sklearn.ensemble.RandomForestRegressor
        Fitted; it can predict and be pickled, and its trees can be walked. Impurities and sample counts,
        which an array forest does not keep, are 0 and 1.

    Raises
    ------
    MissingDependencyError
        Without scikit-learn.

    Examples
    --------
    >>> from predictor_core.forest import Forest, Tree
    >>> stump = Tree(*map(np.array, ([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.5, 0.0, 0.0], [0.0, 1.0, 3.0])))
    >>> to_sklearn(Forest.from_trees([stump], n_features=1)).predict([[0.2], [0.7]]).tolist()
    [1.0, 3.0]
    """
    with requires("scikit-learn", "train", "Exporting a forest to scikit-learn"):
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.tree import DecisionTreeRegressor
        from sklearn.tree._tree import NODE_DTYPE, Tree
    scale = forest.n_trees if forest.combine == "sum" else 1
    estimators = []
    for root in range(forest.first, forest.last):
        order, depth = _breadth_first(forest, root)
        estimator = DecisionTreeRegressor()
        tree = Tree(forest.n_features, np.ones(1, dtype=np.intp), 1)
        tree.__setstate__(
            {
                "max_depth": depth,
                "node_count": len(order),
                "nodes": _nodes(forest, order, NODE_DTYPE),
                "values": forest.arrays.value[order].astype(np.float64).reshape(-1, 1, 1) * scale,
            }
        )
        estimator.tree_ = tree
        _fit_facts(estimator, forest)
        estimator.max_features_ = forest.n_features
        estimators.append(estimator)
    regressor = RandomForestRegressor(n_estimators=forest.n_trees)
    regressor.estimators_ = estimators
    regressor.estimator_ = DecisionTreeRegressor()
    _fit_facts(regressor, forest)
    return regressor


def _fit_facts(estimator: Any, forest: Forest) -> None:
    estimator.n_features_in_ = forest.n_features
    estimator.n_outputs_ = 1


def _breadth_first(forest: Forest, root: int) -> tuple[Ints, int]:
    """Return the nodes below a root, level by level, and the number of levels below it."""
    left = forest.arrays.left
    level = np.array([root], dtype=np.intp)
    levels = []
    while len(level):
        levels.append(level)
        inner = level[left[level] != level]
        level = np.stack([left[inner], left[inner] + 1], axis=1).ravel().astype(np.intp)
    return np.concatenate(levels), len(levels) - 1


def _nodes(forest: Forest, order: Ints, dtype: np.dtype[Any]) -> NDArray[Any]:
    left, feature = forest.arrays.left, forest.arrays.feature
    nodes = np.zeros(len(order), dtype=dtype)
    position = {int(node): index for index, node in enumerate(order)}
    leaf = left[order] == order
    # scikit-learn marks leaves with the children -1 and the feature and threshold -2.
    nodes["left_child"] = [-1 if end else position[int(child)] for child, end in zip(left[order], leaf)]
    nodes["right_child"] = np.where(leaf, -1, nodes["left_child"] + 1)
    nodes["feature"] = np.where(leaf, -2, feature[order])
    nodes["threshold"] = np.where(leaf, -2.0, forest.arrays.threshold[order].astype(np.float64))
    nodes["n_node_samples"] = 1
    nodes["weighted_n_node_samples"] = 1.0
    return nodes
