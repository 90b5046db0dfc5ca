from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from predictor_core.fusion import load_rules
from predictor_core.learning.bench import read_measured
from predictor_core.learning.dataset import Dataset, build_datasets, load_dataset, save_dataset, split

from .conftest import DEVICE


@pytest.fixture(scope="module")
def data(measurements: Path) -> Dataset:
    return build_datasets(read_measured(measurements), {DEVICE: load_rules(DEVICE)})[DEVICE]


def test_one_row_a_group_with_the_mean_latency(data: Dataset, measurements: Path) -> None:
    assert len(data) == 3 * 58
    first, last = (
        next(m.latency_ms[DEVICE] for m in read_measured(measurements) if m.id == name)
        for name in ("wide_0", "wide_59")
    )
    assert last == pytest.approx(1.1 * first)
    assert data.latency_ms[data.groups == "wide_0"] == pytest.approx((first + last) / 2)


def test_counts_are_those_of_the_kernels(data: Dataset) -> None:
    flat = data.only(data.families == "flat")
    # Three convs with their ReLUs, a max pool, a global pool, a classifier.
    assert set(np.asarray(flat.counts.sum(axis=1)).ravel()) == {6.0}
    assert set(data.forests) == {"conv", "maxpool", "global-avgpool", "fc"}
    assert flat.seen().sum() < data.seen().sum() == len(data.specs)


def test_saved_data_sets_come_back(data: Dataset, tmp_path: Path) -> None:
    save_dataset(tmp_path / "d.npz", data)
    again = load_dataset(tmp_path / "d.npz")
    assert again.specs == data.specs
    assert again.device == data.device
    assert (again.counts != data.counts).nnz == 0
    np.testing.assert_array_equal(again.latency_ms, data.latency_ms)
    np.testing.assert_array_equal(again.groups, data.groups)


def test_splits_are_even_in_every_family_and_repeatable() -> None:
    groups = np.array([f"g{i}" for i in range(300)])
    families = np.repeat(["a", "b", "c"], 100)
    part = split(groups, families, seed=3)
    for family in "abc":
        names, counts = np.unique(part[families == family], return_counts=True)
        assert dict(zip(names, counts)) == {"test": 10, "train": 80, "validation": 10}
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(split(groups[order], families[order], seed=3), part[order])
    assert (split(groups, families, seed=4) != part).any()
