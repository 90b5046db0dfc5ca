"""The phones of the package: listed, loaded, predicting; all without the measurements."""

from __future__ import annotations

import re

import numpy as np
import pytest

from predictor_core import list_latency_predictors, load_latency_predictor, zoo
from predictor_core.catalog.cards import ROUGH_BELOW, card_of
from predictor_core.catalog.embedded import PHONES
from predictor_core.catalog.lookup import match_predictors
from predictor_core.kernels.traits import TRAITS
from predictor_core.predictor.batch import predict_many

STOCK = "pixel4_cpu1med_fp32_tflite210"
LISTED = [
    entry for entry in list_latency_predictors() if entry.get("headers", "").startswith("devices/phones/")
]
NAME = re.compile(r"[a-z0-9]+_(cpu(\d(large|med|small))+|gpu)_(fp32|int8|fp16)_(tflite210|torch20)")


def test_more_than_150_phones_are_listed_with_what_they_are() -> None:
    assert len(LISTED) >= 150
    for entry in LISTED:
        assert NAME.fullmatch(entry["name"])
        assert entry["version"] == "2.0"
        assert entry["category"] == ("gpu" if "_gpu_" in entry["name"] else "cpu")
        assert all(entry[key] for key in ("hardware", "chip", "cores", "precision", "runtime"))
        assert 50.0 <= entry["accuracy"] <= 100.0


def test_all_of_them_are_small() -> None:
    assert sum(path.stat().st_size for path in PHONES.iterdir()) < 12e6


def test_all_load_and_agree_one_by_one_and_together() -> None:
    predictors = [load_latency_predictor(entry["name"]) for entry in LISTED]
    graph = zoo.build("mobilenetv2")
    together = predict_many(predictors, [graph, zoo.build("resnet18")])
    assert np.isfinite(together).all()
    assert (together > 0.1).all()
    for i in range(0, len(predictors), 20):
        report = predictors[i].profile(graph)
        low_ms, high_ms = report.interval_ms
        assert low_ms < report.latency_ms < high_ms
        assert report.latency_ms == pytest.approx(together[i, 0])
        assert predictors[i].predict(graph) == pytest.approx(together[i, 0])


def test_cores_are_as_fast_as_they_are() -> None:
    graph = zoo.build("resnet50")

    def ms(cores: str) -> float:
        return float(load_latency_predictor(f"pixel4_cpu{cores}_fp32_tflite210").predict(graph))

    assert ms("1large") < ms("1med") < ms("1small")
    assert ms("3med") < ms("2med") < ms("1med")


def test_the_stock_build_is_faster_than_the_benchmark_of_2019() -> None:
    old = load_latency_predictor("cortexA76cpu_tflite21").predict(zoo.build("mobilenetv2"))
    assert 0.5 < load_latency_predictor(STOCK).predict(zoo.build("mobilenetv2")) / old < 0.95


def test_rough_ones_say_so_in_every_report() -> None:
    graph = zoo.build("squeezenet")
    rough = [entry for entry in LISTED if entry["accuracy"] < ROUGH_BELOW]
    for entry in [*rough[:3], *(entry for entry in LISTED[:3] if entry["accuracy"] >= ROUGH_BELOW)]:
        warnings = load_latency_predictor(entry["name"]).profile(graph).warnings
        assert any("is rough" in text for text in warnings) == (entry["accuracy"] < ROUGH_BELOW)


def test_cards_are_made_of_the_headers() -> None:
    (entry,) = match_predictors(["pixel4_cpu1large_int8_tflite210"])
    card = card_of(entry)
    assert "float model" in card["measured"]
    assert card["chip"] == "Snapdragon 855"
    assert str(entry.get("accuracy")) in card["accuracy"]["models left out of the fit"]
    assert len(match_predictors(["pixel4*"])) >= 30


def test_transformers_and_grouped_convolutions_count_as_measured() -> None:
    measured = set(load_latency_predictor(STOCK).device_header.measured)
    assert {"matmul", "softmax", "layernorm", "gelu", "groupconv/9"} <= measured


def test_traits_of_kernels_count_where_they_predict_families_left_out() -> None:
    def largest(name: str) -> float:
        coefficients = load_latency_predictor(name).device_header.coefficients
        return max(abs(coefficients[f"{trait}:"]) for trait in TRAITS if trait != "arithmetic")

    assert largest(STOCK) < 0.05
    assert largest("pixel4_cpu1med_int8_torch20") < 0.05
    assert largest("pixel4_cpu1med_fp32_torch20") > 0.3
    assert largest("pixel4_gpu_fp16_tflite210") > 0.3
