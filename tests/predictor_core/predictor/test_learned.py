"""A learned predictor is a predictor everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from predictor_core import learn_predictor, list_latency_predictors, load_latency_predictor, predict_many, zoo
from predictor_core.catalog.loading import load_learned
from predictor_core.catalog.register import register_predictor
from predictor_core.errors import PackError, RegistryError
from predictor_core.ir.graph import Graph
from predictor_core.ir.passes import canonicalize
from predictor_core.predictor.header import DeviceHeader
from predictor_core.predictor.learned import LearnedPredictor

CPU = "cortexA76cpu_tflite21"
NAMES = ("alexnet", "mobilenetv1", "mobilenetv2", "resnet18", "squeezenet", "vgg11")


@pytest.fixture(scope="module")
def graphs() -> list[Graph]:
    return [canonicalize(zoo.build(name)) for name in NAMES]


@pytest.fixture(scope="module")
def learned(graphs: list[Graph]) -> LearnedPredictor:
    source = load_latency_predictor(CPU)
    return learn_predictor(graphs, [0.7 * source.predict(graph) for graph in graphs], name="Tablet", like=CPU)


def test_registered_by_its_folder(tmp_path: Path, learned: LearnedPredictor, graphs: list[Graph]) -> None:
    folder = learned.save(tmp_path / "tablet")
    entry = register_predictor(folder)
    assert (entry["name"], entry["version"], entry["category"]) == ("Tablet", "1.0", "cpu")
    assert "Tablet" in {one["name"] for one in list_latency_predictors()}
    loaded = load_latency_predictor("tablet")
    assert loaded.predict(graphs[0]) == learned.predict(graphs[0])
    with pytest.raises(RegistryError, match="exists already"):
        register_predictor(folder)


def test_a_folder_without_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"holds no header\.json"):
        register_predictor(tmp_path)


def test_a_registered_folder_that_holds_another_device(tmp_path: Path, learned: LearnedPredictor) -> None:
    folder = learned.save(tmp_path / "tablet")
    with pytest.raises(PackError, match=r"holds Tablet 1\.0, but phone 1\.0 is registered"):
        load_learned(folder, name="phone", version="1.0")


def test_the_folder_is_all_it_takes(tmp_path: Path, learned: LearnedPredictor, graphs: list[Graph]) -> None:
    learned.save(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    shutil.rmtree(tmp_path / "here")
    assert load_learned(tmp_path / "there").predict(graphs[2]) == learned.predict(graphs[2])


def test_another_source_than_it_was_learned_from(learned: LearnedPredictor) -> None:
    content = learned.device_header.to_dict()
    content["sources"] = [{**content["sources"][0], "sha256": "0" * 64}]
    with pytest.raises(PackError, match=r"was learned from .* learn it again"):
        LearnedPredictor(DeviceHeader.from_dict(content), learned.sources)


def test_many_at_once_and_one_by_one_are_equal(learned: LearnedPredictor, graphs: list[Graph]) -> None:
    one_by_one = [learned.predict(graph) for graph in graphs]
    assert learned.predict_many(graphs).tolist() == one_by_one
    assert learned.predict_many(graphs, n_jobs=2).tolist() == one_by_one
    source = load_latency_predictor(CPU)
    both = predict_many([source, learned], graphs)
    assert both[1].tolist() == one_by_one
    assert both[0].tolist() == source.predict_many(graphs).tolist()


def test_profile_adds_up_and_covers(learned: LearnedPredictor, graphs: list[Graph]) -> None:
    report = learned.profile(graphs[1])
    assert report.latency_ms == pytest.approx(learned.predict(graphs[1]), rel=1e-12)
    low_ms, high_ms = report.interval_ms
    assert low_ms < report.latency_ms < high_ms
    assert report.latency_ms == pytest.approx(0.7 * load_latency_predictor(CPU).predict(graphs[1]), rel=0.05)
    assert "Tablet" in str(report)
    assert all(kernel.latency_ms > 0.0 for kernel in report.kernels)


def test_a_bigger_batch_takes_longer(learned: LearnedPredictor) -> None:
    sides = [zoo.build("mobilenetv2", input_shape=(1, side, side, 3)) for side in (96, 128, 192, 224, 320)]
    assert (np.diff(learned.predict_graphs([canonicalize(graph) for graph in sides])) > 0.0).all()


def test_the_card_says_what_it_is(tmp_path: Path, learned: LearnedPredictor) -> None:
    text = (learned.save(tmp_path / "x") / "MODEL_CARD.md").read_text(encoding="utf-8")
    for part in (
        "# Tablet, version 1.0",
        CPU,
        "within ±10 %",
        "Verdict: good",
        "only sure (95 % confidence) that ",
    ):
        assert part in text
