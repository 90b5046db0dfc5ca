"""Families, published models, arguments and their errors."""

from __future__ import annotations

import pytest

from predictor_core import zoo
from predictor_core.errors import PredictorError


def test_families_and_models() -> None:
    assert len(zoo.families()) == 13
    assert len(zoo.models()) == 19
    assert {"resnet18", "vgg19", "mobilenetv3small", "densenet"} <= set(zoo.models())


@pytest.mark.parametrize("name", zoo.models())
def test_every_published_model_ends_in_its_classes(name: str) -> None:
    graph = zoo.build(name)
    assert graph.name == name
    (output,) = graph.outputs
    assert graph.shape(output) == (1, 10 if name == "nasbench201" else 1000)
    assert graph[output].op == "fc"


def test_a_family_name_means_its_default_member() -> None:
    assert zoo.build("resnet") == zoo.build("resnet50")
    assert zoo.build("mobilenetv3") == zoo.build("mobilenetv3large")


def test_input_shape_and_classes() -> None:
    graph = zoo.build("mobilenetv2", input_shape=(4, 96, 160, 3), classes=7)
    assert graph.shape("input") == (4, 96, 160, 3)
    assert graph.shape("conv1") == (4, 48, 80, 32)
    assert graph.shape(graph.outputs[0]) == (4, 7)


def test_squeeze_and_excite_pools_the_whole_feature_map_of_an_oblong_image() -> None:
    graph = zoo.build("mobilenetv3small", input_shape=(1, 64, 128, 3))
    assert graph.shape("SE.avgpool") == (1, 1, 1, 16)
    assert graph["SE.avgpool"].attrs["kernel"] == (16, 32)


def test_a_resnet_has_shortcut_convs_only_where_shapes_change() -> None:
    graph = zoo.build("resnet18")
    assert [node.name for node in graph if ".0.conv" in node.name] == [
        "layer5.0.conv",
        "layer7.0.conv",
        "layer9.0.conv",
    ]


def test_nasbench_skips_what_the_output_does_not_need() -> None:
    graph = zoo.build("nasbench201", arch="|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|")
    assert sum(node.name.startswith("0.") for node in graph) == 3


@pytest.mark.parametrize(
    ("family", "config", "message"),
    [
        ("resnet19", {}, "no model family 'resnet19'; there are alexnet"),
        ("resnet", {"depth": 19}, r"depths \[18, 34, 50\], got 19"),
        ("vgg", {"depth": 12}, "got 12"),
        ("mobilenetv3", {"variant": "medium"}, "large and small, got 'medium'"),
        ("alexnet", {"kernels": (3, 3)}, "kernels needs 5 numbers, one per block; got 2"),
        ("alexnet", {"width": 3}, "unexpected keyword argument 'width'"),
        ("squeezenet", {"input_shape": (224, 224, 3)}, r"input_shape must be \(batch, height"),
        ("nasbench201", {"arch": "|conv~0|+|none~0|none~1|"}, "edge 'conv~0'"),
        ("nasbench201", {"arch": "|none~0|"}, "not connected"),
        ("mobilenetv2", {"input_shape": (1, -5, 224, 3)}, "positive"),
    ],
)
def test_wrong_arguments(family: str, config: dict, message: str) -> None:
    with pytest.raises(PredictorError, match=message):
        zoo.build(family, **config)
