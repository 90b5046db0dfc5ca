from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from predictor_core.errors import PackError
from predictor_core.forest import Forest, Tree, load_pack, save_pack
from predictor_core.forest.pack import round_down_to_float32


def random_tree(rng: np.random.Generator, depth: int, d: int) -> Tree:
    left, right, feature, threshold = [-1], [-1], [0], [0.0]
    level = [0]
    for _ in range(depth):
        grown = [node for node in level if rng.random() < 0.8]
        level = []
        for node in grown:
            feature[node], threshold[node] = int(rng.integers(d)), float(rng.normal())
            left[node], right[node] = len(left), len(left) + 1
            level += [left[node], right[node]]
            for array, empty in ((left, -1), (right, -1), (feature, 0), (threshold, 0.0)):
                array += [empty, empty]
    return Tree(*map(np.array, (left, right, feature, threshold, rng.normal(size=len(left)))))


def random_forest(seed: int, n_trees: int = 3, depth: int = 5, d: int = 4) -> Forest:
    rng = np.random.default_rng(seed)
    return Forest.from_trees([random_tree(rng, depth, d) for _ in range(n_trees)], d)


def test_what_is_loaded_predicts_as_what_was_saved(tmp_path: Path) -> None:
    forests = {
        "conv": random_forest(0),
        "add": random_forest(1, n_trees=1, depth=0),
        "fc": random_forest(2, d=7),
    }
    digest = save_pack(
        tmp_path / "p.pack", {"device": "toy", "forests": {"conv": {"note": 1}}}, forests, "float64"
    )
    pack = load_pack(tmp_path / "p.pack", digest)
    assert pack.header["device"] == "toy"
    assert pack.header["forests"]["conv"]["note"] == 1
    for name, forest in forests.items():
        x = np.random.default_rng(5).normal(size=(200, forest.n_features))
        np.testing.assert_array_equal(pack.forests[name].predict(x), forest.predict(x))


def test_half_precision_leaves_are_close_and_smaller(tmp_path: Path) -> None:
    forest = random_forest(0, depth=9)
    save_pack(tmp_path / "whole", {}, {"f": forest}, "float64")
    save_pack(tmp_path / "half", {}, {"f": forest}, "float16")
    assert (tmp_path / "half").stat().st_size < (tmp_path / "whole").stat().st_size
    x = np.random.default_rng(5).normal(size=(200, 4))
    np.testing.assert_allclose(
        load_pack(tmp_path / "half").forests["f"].predict(x), forest.predict(x), atol=2e-3
    )


def test_the_same_forests_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_pack(tmp_path / name, {"x": 1, "y": 2}, {"f": random_forest(4)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_flipped_byte_and_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p"
    save_pack(path, {"device": "toy"}, {"f": random_forest(0, depth=2)})
    good = path.read_bytes()
    for i in range(len(good)):
        path.write_bytes(good[:i] + bytes([good[i] ^ 0x41]) + good[i + 1 :])
        with pytest.raises(PackError):
            load_pack(path)
    for i in range(0, len(good), 7):
        path.write_bytes(good[:i])
        with pytest.raises(PackError):
            load_pack(path)


def test_a_pack_that_was_resealed_is_refused_by_its_pinned_digest(tmp_path: Path) -> None:
    path = tmp_path / "p"
    digest = save_pack(path, {"device": "toy"}, {"f": random_forest(0)})
    content = path.read_bytes()[:-32].replace(b'"toy"', b'"top"')
    path.write_bytes(content + hashlib.sha256(content).digest())
    assert load_pack(path).header["device"] == "top"
    with pytest.raises(PackError, match="not the registered pack"):
        load_pack(path, digest)


@pytest.mark.parametrize(
    "edit", [(b'"n_trees":3', b'"n_trees":9'), (b'"format":1', b'"format":7'), (b"{", b"[")]
)
def test_a_resealed_header_that_lies_is_refused(tmp_path: Path, edit: tuple[bytes, bytes]) -> None:
    path = tmp_path / "p"
    save_pack(path, {"device": "toy"}, {"f": random_forest(0)})
    content = path.read_bytes()[:-32].replace(edit[0], edit[1], 1)
    path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(PackError):
        load_pack(path)


def test_a_missing_pack_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="No such file"):
        load_pack(tmp_path / "absent")


def test_thresholds_are_rounded_down() -> None:
    t = np.array([0.1, -0.1, 1e-300, -1e-300, 0.5, 16777217.0])
    r = round_down_to_float32(t)
    assert np.all(r.astype(np.float64) <= t)
    assert np.all(np.nextafter(r, np.float32(np.inf)).astype(np.float64) > t)
