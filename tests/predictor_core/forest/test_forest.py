from __future__ import annotations

import numpy as np
import pytest

from predictor_core.errors import PackError
from predictor_core.forest import Forest, Tree, predict_rows

sklearn = pytest.importorskip("sklearn.ensemble")


def grown(seed: int, n: int = 300, d: int = 5, **options: object) -> tuple[object, Forest]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4, size=d)
    y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    model = sklearn.RandomForestRegressor(n_estimators=7, random_state=seed, **options).fit(x, y)
    return model, from_sklearn(model, d)


def from_sklearn(model: object, d: int) -> Forest:
    trees = [
        Tree(t.children_left, t.children_right, t.feature, t.threshold, t.value)
        for t in (estimator.tree_ for estimator in model.estimators_)
    ]
    return Forest.from_trees(trees, d)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("options", [{}, {"max_depth": 3}, {"min_samples_leaf": 40}, {"bootstrap": False}])
def test_predicts_as_scikit_learn(seed: int, options: dict[str, object]) -> None:
    model, forest = grown(seed, **options)
    x = np.random.default_rng(seed + 100).normal(size=(2000, 5)) * 10.0 ** np.arange(-2, 3)
    np.testing.assert_allclose(forest.predict(x), model.predict(x), rtol=1e-9)


def test_rows_on_a_threshold_go_left_as_in_scikit_learn() -> None:
    model, forest = grown(3)
    thresholds = np.concatenate([e.tree_.threshold[e.tree_.feature == 0] for e in model.estimators_])
    x = np.zeros((len(thresholds), 5))
    x[:, 0] = thresholds
    np.testing.assert_allclose(forest.predict(x), model.predict(x), rtol=1e-9)


def test_single_node_trees() -> None:
    x = np.ones((10, 2))
    model = sklearn.RandomForestRegressor(n_estimators=3, random_state=0).fit(x, np.full(10, 2.5))
    assert from_sklearn(model, 2).predict([[0, 0], [9, 9]]).tolist() == [2.5, 2.5]


def test_one_row_equals_the_same_row_among_many() -> None:
    _, forest = grown(1)
    x = np.random.default_rng(0).normal(size=(3000, 5))
    together = forest.predict(x)
    assert [forest.predict(x[i : i + 1])[0] for i in range(0, 3000, 300)] == together[::300].tolist()


def test_forests_together_equal_forests_alone() -> None:
    _, a = grown(1)
    x = np.random.default_rng(0).normal(size=(50, 5))
    predictions, _ = predict_rows([(a, 20), (a, 30)], x)
    assert predictions.tolist() == a.predict(x).tolist()


def test_refuses_rows_of_another_width_and_nan() -> None:
    _, forest = grown(1)
    with pytest.raises(ValueError, match="5 features"):
        forest.predict(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="not a number"):
        forest.predict(np.full((1, 5), np.nan))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1, 0, -1], [2, 2, -1]),
        ([1, -1, -1], [1, -1, -1]),
        ([1, -1, -1], [9, -1, -1]),
        ([1, -1, -1], [-1, -1, -1]),
    ],
)
def test_refuses_trees_that_are_no_trees(left: list[int], right: list[int]) -> None:
    tree = Tree(np.array(left), np.array(right), np.zeros(3, int), np.zeros(3), np.zeros(3))
    with pytest.raises(PackError):
        Forest.from_trees([tree], 1)


@pytest.mark.parametrize("feature", [-1, 2**16])
def test_a_node_holds_a_feature_of_16_bits(feature: int) -> None:
    children = np.array([1, -1, -1])
    tree = Tree(children, children + (children > 0), np.full(3, feature), np.zeros(3), np.ones(3))
    with pytest.raises(PackError, match="compares a feature outside"):
        Forest.from_trees([tree], n_features=2**20)
