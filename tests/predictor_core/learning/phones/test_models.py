"""Models of the measurements, built with random weights."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from predictor_core.errors import MissingDependencyError
from predictor_core.fusion import detect, load_rules
from predictor_core.kernels import cost
from predictor_core.learning.phones.models import build_graphs, check_sizes
from predictor_core.learning.phones.transformers_models import TRANSFORMERS

RULES = load_rules("cortexA76cpu_tflite21")


def test_a_cnn_has_the_arithmetic_that_is_published() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pytorchcv")
    built = build_graphs(["resnet18"])["resnet18"]
    assert built.parameters_m == pytest.approx(11.69, abs=0.01)
    macs = sum(cost(kernel.spec).macs for kernel in detect(built.graph, RULES))
    assert macs == pytest.approx(1.82e9, rel=0.01)
    assert not hasattr(np, "int") or np.lib.NumpyVersion(np.__version__) < "1.24.0"


def test_a_transformer_has_the_size_that_is_published(tmp_path) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers, "VanConfig"):
        pytest.skip("this release of transformers has dropped some of the models; the extra phones has them")
    built = build_graphs(["van-tiny"])
    assert check_sizes(built, RULES, tmp_path / "transformers.csv") == []
    assert "van-tiny,4.11,4.1,0.910,0.9" in (tmp_path / "transformers.csv").read_text()


def test_without_transformers_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match="transformers<5"):
        build_graphs(["van-tiny"])


def test_sizes_that_differ_are_listed(tmp_path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pytorchcv")
    built = {"van-tiny": build_graphs(["resnet18"])["resnet18"]}
    assert check_sizes(built, RULES, tmp_path / "transformers.csv") == ["van-tiny"]


def test_every_transformer_has_a_published_number_of_parameters() -> None:
    assert all(0.0 < model.parameters_m < 200.0 for model in TRANSFORMERS.values())
