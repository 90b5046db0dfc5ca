"""torchvision models by name: every classification model, from its name to milliseconds."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import pytest

pytest.importorskip("torch")
if importlib.util.find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

import torch

from predictor_core import load_latency_predictor
from predictor_core.errors import ModelFormatError, PredictorError
from predictor_core.frontends.torch import torchvision as frontend
from predictor_core.ir.ops import KNOWN_OPS
from tests.torchvision_shim import import_torchvision

import_torchvision()

#: Parameters in millions of some models, as torchvision documents them.
PARAMETERS = {"alexnet": 61.1, "densenet161": 28.7, "mobilenet_v2": 3.5, "resnet18": 11.7, "vit_b_16": 86.6}


@pytest.fixture(scope="module")
def predictor() -> Any:
    return load_latency_predictor("cortexA76cpu_tflite21")


@pytest.mark.parametrize("name", frontend.names())
def test_every_classification_model_predicts(name: str, predictor: Any) -> None:
    graph = frontend.load(name, via="direct")
    assert graph.name == name
    assert graph.inputs[0].shape == (1, 224, 224, 3)
    assert graph[graph.outputs[0]].shape == (1, 1000)
    report = predictor.profile(graph)
    assert 0.5 < report.latency_ms < 1e5
    assert 0.0 < report.coverage <= 1.0
    assert not [node.op for node in graph.nodes if node.op not in KNOWN_OPS]


@pytest.mark.parametrize(("family", "member"), sorted(frontend.SHORT_NAMES.items()))
def test_family_names(family: str, member: str) -> None:
    assert frontend.load(family).nodes == frontend.load(member).nodes


@pytest.mark.parametrize("name", PARAMETERS)
def test_models_are_built_whole_and_without_their_weights(name: str) -> None:
    state = torch.get_rng_state()
    model = frontend.build(name)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == PARAMETERS[name]
    assert sum(p.numel() for p in model.parameters() if not p.is_meta) < 10_000
    assert not model.training
    assert torch.equal(state, torch.get_rng_state())


def test_names_are_case_insensitive_and_shapes_may_lack_the_batch() -> None:
    graph = frontend.load("ResNet18", input_shape=(3, 96, 160))
    assert graph.inputs[0].shape == (1, 96, 160, 3)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PredictorError, match=r"'resnet19'.*resnet18.*wide_resnet"):
        frontend.load("resnet19")


@pytest.mark.parametrize(
    "name", ["fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"]
)
def test_segmentation_models(name: str) -> None:
    graph = frontend.load(name, via="direct")
    assert graph[graph.outputs[0]].shape == (1, 224, 224, 21)


@pytest.mark.parametrize(
    "name", ["fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "ssdlite320_mobilenet_v3_large"]
)
def test_detectors_go_as_far_as_their_backbone_and_say_so(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        graph = frontend.load(name, input_shape=(1, 3, 320, 320), via="direct")
    assert "only the backbone" in caplog.text
    assert len(graph.outputs) > 3
    assert sum(node.op == "conv" for node in graph.nodes) > 30


@pytest.mark.parametrize(("name", "message"), [("r3d_18", "5 dimensions"), ("raft_small", "image2")])
def test_models_of_other_inputs_say_what_they_need(name: str, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        frontend.load(name, via="direct")


def test_video_models_take_a_shape_of_their_own() -> None:
    graph = frontend.load("r3d_18", input_shape=(1, 3, 8, 56, 56), via="direct")
    assert {"conv3d", "reduce_mean", "fc"} <= {node.op for node in graph.nodes}
