"""Distillation: a random forest per kernel type that says what the teacher says.

Few deep trees without bootstrap: each reproduces the teacher on the kernels it was grown on, and they differ
in the features that they were allowed to look at, so between known kernels they average, and their standard
deviation says how far an answer can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import requires
from predictor_core.forest import Forest, Tree
from predictor_core.learning.dataset import Dataset, Floats, Mask


@dataclass(frozen=True)
class Settings:
    """How the forests are grown.

    Parameters
    ----------
    trees : int
        Of each forest.
    columns : float
        Share of the features that a split may look at.
    leaf : int
        Fewest kernels in a leaf.
    """

    trees: int = 6
    columns: float = 0.6
    leaf: int = 1


#: A leaf that leaves the base as it is.
_NOTHING = Tree(np.array([-1]), np.array([-1]), np.array([0]), np.array([0.0]), np.array([0.0]))


def grow_forests(
    data: Dataset,
    log_ratio: Floats,
    grown_on: Mask,
    features: dict[str, NDArray[np.float32]],
    settings: Settings,
    seed: int,
) -> dict[str, Forest]:
    """Grow a forest for each kernel type; one that has no kernels to grow it on corrects nothing.

    Parameters
    ----------
    data : Dataset
    log_ratio : (m,) float64
        Of the teacher: what the forests learn.
    grown_on : (m,) bool
        Kernels to learn from.
    features : dict
        `teacher.feature_table` of the data set.
    settings : Settings
    seed : int
    """
    with requires("scikit-learn", "train", "training"):
        from sklearn.ensemble import RandomForestRegressor

    forests = {}
    for number, (name, table) in enumerate(features.items()):
        members = data.forests == name
        chosen = grown_on[members]
        if not chosen.any():
            forests[name] = Forest.from_trees([_NOTHING] * settings.trees, table.shape[1])
            continue
        model = RandomForestRegressor(
            n_estimators=settings.trees,
            max_features=settings.columns,
            min_samples_leaf=settings.leaf,
            bootstrap=False,
            random_state=seed + number,
        ).fit(table[chosen], log_ratio[members][chosen])
        trees = [
            Tree(
                tree.tree_.children_left,
                tree.tree_.children_right,
                np.maximum(tree.tree_.feature, 0),
                tree.tree_.threshold,
                tree.tree_.value[:, 0, 0],
            )
            for tree in model.estimators_
        ]
        forests[name] = Forest.from_trees(trees, table.shape[1])
    return forests
