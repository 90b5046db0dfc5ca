from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest

from predictor_core.errors import MissingDependencyError
from predictor_core.forest import Forest, Tree, load_pack, save_pack
from predictor_core.forest.sklearn_export import to_sklearn
from predictor_core.legacy.sklearn_forest import parse_forest


def _fitted(seed: int, **arguments: Any) -> Any:
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(seed)
    x = rng.random((150, 4))
    model = ensemble.RandomForestRegressor(n_estimators=6, random_state=seed, **arguments)
    return model.fit(x, x @ [5.0, 3, 2, 1])


def _forest(model: Any, combine: Any = "mean") -> Forest:
    trees = [
        Tree(t.children_left, t.children_right, t.feature, t.threshold, t.value.ravel())
        for t in (estimator.tree_ for estimator in model.estimators_)
    ]
    return Forest.from_trees(trees, n_features=4, combine=combine)


ROWS = np.random.default_rng(9).random((500, 4)) * 1.1


@pytest.mark.parametrize("combine", ["mean", "sum"])
@pytest.mark.parametrize("arguments", [{}, {"max_depth": 3}, {"max_depth": 1}, {"min_samples_leaf": 150}])
def test_the_export_predicts_what_the_forest_predicts(arguments: dict[str, Any], combine: str) -> None:
    forest = _forest(_fitted(0, **arguments), combine)

    exported = to_sklearn(forest)

    np.testing.assert_allclose(exported.predict(ROWS), forest.predict(ROWS), rtol=1e-12)
    assert exported.get_params()["n_estimators"] == 6


def test_the_export_of_a_scikit_learn_forest_is_that_forest() -> None:
    model = _fitted(1)

    exported = to_sklearn(_forest(model))

    np.testing.assert_allclose(exported.predict(ROWS), model.predict(ROWS), rtol=1e-12)
    for ours, theirs in zip(exported.estimators_, model.estimators_):
        assert ours.tree_.node_count == theirs.tree_.node_count
        assert ours.get_depth() == theirs.get_depth()
        assert ours.get_n_leaves() == theirs.get_n_leaves()
        assert ours.apply(ROWS).shape == (500,)


def test_the_export_can_be_pickled_and_read_back() -> None:
    exported = to_sklearn(_forest(_fitted(2)))

    content = pickle.dumps(exported)

    np.testing.assert_allclose(pickle.loads(content).predict(ROWS), exported.predict(ROWS), rtol=1e-12)
    read = parse_forest(content)
    again = Forest.from_trees(read.trees, read.n_features)
    np.testing.assert_allclose(again.predict(ROWS), exported.predict(ROWS), rtol=1e-12)


def test_forests_of_a_pack_share_arrays_and_are_exported_one_by_one(tmp_path: Any) -> None:
    forests = {"a": _forest(_fitted(3)), "b": _forest(_fitted(4, max_depth=4), "sum")}
    save_pack(tmp_path / "x.pack", {}, forests)

    for forest in load_pack(tmp_path / "x.pack").forests.values():
        np.testing.assert_allclose(to_sklearn(forest).predict(ROWS), forest.predict(ROWS), rtol=1e-12)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    forest = _forest(_fitted(5))
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)

    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[train\]'"):
        to_sklearn(forest)
