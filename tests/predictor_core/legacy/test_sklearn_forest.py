from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core.errors import PackError
from predictor_core.forest.forest import Forest
from predictor_core.legacy.compact import CompactForests
from predictor_core.legacy.sklearn_forest import parse_forest, read_forest

PICKLES = Path(__file__).parent / "pickles"


def _fitted(rows: Any, targets: Any, **arguments: Any) -> Any:
    ensemble = pytest.importorskip("sklearn.ensemble")
    return ensemble.RandomForestRegressor(**{"n_estimators": 8, "random_state": 0, **arguments}).fit(
        rows, targets
    )


def _assert_same(content: bytes, rows: Any, expected: Any) -> None:
    forest = parse_forest(content)
    arrays = Forest.from_trees(forest.trees, forest.n_features)
    np.testing.assert_allclose(arrays.predict(rows), expected, rtol=1e-12)
    compact = CompactForests.from_pickled([("it", forest)])
    np.testing.assert_allclose(compact.predict({"it": rows})["it"], expected, rtol=1e-12)


@pytest.mark.parametrize("path", sorted(PICKLES.glob("sklearn-*.pkl")), ids=lambda path: path.stem)
def test_forests_of_every_version_predict_what_that_version_predicted(path: Path) -> None:
    answers = np.load(PICKLES / f"{path.stem.split('-protocol')[0]}.npz")

    _assert_same(path.read_bytes(), answers["rows"], answers["expected"])
    assert read_forest(path).sklearn_version == path.stem.split("-")[1]


def test_the_pickle_with_missing_values_has_its_flag_set() -> None:
    # Otherwise the case above would say nothing about them.
    assert b"missing_go_to_left" in (PICKLES / "sklearn-1.9.1-missing.pkl").read_bytes()


def test_trees_of_a_single_node() -> None:
    content = (PICKLES / "single-node-trees.pkl").read_bytes()

    _assert_same(content, np.zeros((2, 4)), [2.5, 2.5])


def test_several_outputs_are_refused() -> None:
    with pytest.raises(PackError, match="several outputs"):
        read_forest(PICKLES / "several-outputs.pkl")


@pytest.mark.parametrize("seed", range(6))
def test_random_forests_of_the_installed_version(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-20, 20)
    rows = rng.random((200, 5)) * scale
    targets = rng.random(200) * 10.0 ** rng.integers(-6, 6)
    model = _fitted(
        rows,
        targets,
        max_depth=[None, 3, 12][seed % 3],
        max_leaf_nodes=[None, 30][seed % 2],
        criterion=["squared_error", "poisson"][seed % 2],
        min_samples_leaf=1 + seed % 2,
    )
    queries = np.concatenate([rng.random((300, 5)) * scale * 1.2, rows])

    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        _assert_same(pickle.dumps(model, protocol=protocol), queries, model.predict(queries))


def test_queries_on_the_thresholds() -> None:
    rows = np.arange(64, dtype=float).reshape(-1, 1) * 0.1
    model = _fitted(rows, np.arange(64.0))
    thresholds = np.concatenate([tree.tree_.threshold[tree.tree_.feature >= 0] for tree in model.estimators_])
    queries = np.concatenate([thresholds, np.nextafter(thresholds.astype("f4"), np.float32(9))])[:, None]

    _assert_same(pickle.dumps(model), queries, model.predict(queries))


def test_reading_does_not_import_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)

    assert len(read_forest(PICKLES / "sklearn-0.20.4-protocol4.pkl").trees) == 3


class _Pretender:
    """Pickles as another object, with a state of its own choosing."""

    def __init__(self, original: Any, state: Any) -> None:
        self.original, self.state = original, state

    def __reduce__(self) -> Any:
        return (*self.original.__reduce__()[:2], self.state)


def _with_tree(change: Any) -> bytes:
    """Pickle a fitted forest whose first tree's state was passed through `change`."""
    rng = np.random.default_rng(0)
    model = _fitted(rng.random((50, 3)), rng.random(50), n_estimators=2)
    tree = model.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"], state["values"] = state["nodes"].copy(), state["values"].copy()
    change(state)
    model.estimators_[0].tree_ = _Pretender(tree, state)
    return pickle.dumps(model)


def _set(field: str, index: int, value: Any) -> Any:
    return lambda state: state["nodes"][field].__setitem__(index, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("left_child", 0, 10**6), "out of range"),
        (_set("right_child", 0, 0), "before its parent"),
        (_set("right_child", 0, -1), "before its parent"),
        (_set("left_child", 0, -7), "before its parent"),
        (_set("feature", 0, 3), "feature outside 0..2"),
        (_set("feature", 0, -5), "feature outside"),
        (_set("threshold", 0, np.nan), "threshold of a tree is not a number"),
        (lambda state: state["values"].fill(np.inf), "not a finite number"),
        (lambda state: state.update(values=state["values"][:-1]), "values of shape"),
        (lambda state: state.update(values=np.repeat(state["values"], 2, axis=1)), "values of shape"),
        (lambda state: state.update(nodes=state["nodes"][:0], values=state["values"][:0]), "nodes of shape"),
        (lambda state: state.update(nodes=state["values"]), "lack one of the fields"),
        (lambda state: state.update(nodes=None), "array is expected"),
        (lambda state: state.clear(), "fitted Tree is expected|array is expected"),
        (
            lambda state: state.update(nodes=state["nodes"][["feature", "threshold"]].copy()),
            "lack one of the fields",
        ),
        (lambda state: state.update(nodes=state["nodes"].astype(object)), "is not bytes"),
        (
            lambda state: state.update(values=state["values"].astype("f2")),
            "of a dtype that none of a forest has",
        ),
    ],
)
def test_malformed_trees_are_refused(change: Any, message: str) -> None:
    with pytest.raises(PackError, match=message):
        parse_forest(_with_tree(change))


def test_other_objects_are_refused() -> None:
    with pytest.raises(PackError, match="a fitted RandomForestRegressor is expected in the place of a list"):
        parse_forest(pickle.dumps([]))
    with pytest.raises(PackError, match="in the place of a _reconstruct"):
        parse_forest(pickle.dumps(np.zeros(3), protocol=4))


def test_an_unfitted_forest_is_refused() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")

    with pytest.raises(PackError, match="no trees"):
        parse_forest(pickle.dumps(ensemble.RandomForestRegressor()))
