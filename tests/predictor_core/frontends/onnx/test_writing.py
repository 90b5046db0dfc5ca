"""Graphs as ONNX files: what is read back is the same model, and runtimes run it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx

from predictor_core import zoo
from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.onnx.writing import graph_to_onnx
from predictor_core.frontends.reading import to_graph
from predictor_core.fusion import detect, load_rules
from predictor_core.ir.graph import Graph, Node
from predictor_core.zoo.variants import variant

RULES = load_rules("cortexA76cpu_tflite21")


def kernels(graph: Any) -> Counter[Any]:
    return Counter(kernel.spec for kernel in detect(to_graph(graph, "onnx"), RULES))


def run(model: Any) -> np.ndarray:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (each,) = session.get_inputs()
    feed = {each.name: np.random.default_rng(0).standard_normal(each.shape).astype(np.float32)}
    return session.run(None, feed)[0]


@pytest.mark.parametrize("family", zoo.families())
def test_the_zoo_is_the_same_when_read_back(family: str) -> None:
    graph = variant(family, 3)
    model = graph_to_onnx(graph)
    onnx.checker.check_model(model)
    assert kernels(model) == kernels(graph)


@pytest.mark.parametrize("name", ["mobilenetv3small", "shufflenetv2", "squeezenet", "nasbench201"])
def test_runtimes_compute_with_it(name: str) -> None:
    size = 32 if name == "nasbench201" else 64
    answer = run(graph_to_onnx(zoo.build(name, input_shape=(1, size, size, 3))))
    assert np.isfinite(answer).all()
    assert 1e-6 < np.abs(answer).max() < 1e6


def test_files_are_small() -> None:
    model = graph_to_onnx(zoo.build("resnet50"))
    weights = 4 * 25_557_032
    assert len(model.SerializeToString()) < weights / 100


def test_the_same_graph_is_the_same_file() -> None:
    graph = zoo.build("squeezenet")
    first, again = (graph_to_onnx(graph).SerializeToString(deterministic=True) for _ in range(2))
    assert first == again
    assert first != graph_to_onnx(graph, seed=1).SerializeToString(deterministic=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["convnext_tiny", "efficientnet_b0", "googlenet", "regnet_y_400mf", "swin_t", "vit_b_16"]
)
def test_real_architectures_are_the_same_when_read_back(name: str) -> None:
    pytest.importorskip("torch")
    from predictor_core.frontends.torch.torchvision import load

    graph = load(name, input_shape=(1, 3, 224, 224))
    model = graph_to_onnx(graph)
    assert kernels(model) == kernels(graph)
    assert np.isfinite(run(model)).all()


def graph_of(*nodes: Node, shape: tuple[int, ...] = (1, 8, 8, 16)) -> Graph:
    return Graph([Node("x", "input", outputs=(shape,)), *nodes], "one")


WINDOW = {"kernel": (3, 3), "strides": (2, 2), "pads": (0, 0, 0, 0)}


@pytest.mark.parametrize(
    "node",
    [
        Node("y", "resize", ("x",), {"mode": "bilinear"}, ((1, 16, 16, 16),)),
        Node("y", "pad", ("x",), {"pads": ((0, 0), (1, 2), (3, 4), (0, 0))}, ((1, 11, 15, 16),)),
        Node("y", "depthtospace", ("x",), {"block": 2}, ((1, 16, 16, 4),)),
        Node("y", "spacetodepth", ("x",), {"block": 2}, ((1, 4, 4, 64),)),
        Node("y", "reduce_mean", ("x",), {"axes": (3,), "keepdims": True}, ((1, 8, 8, 1),)),
        Node("y", "reduce_max", ("x",), {"axes": (1,), "keepdims": False}, ((1, 8, 16),)),
        Node("y", "reduce_sum", ("x",), {"axes": (1, 2), "keepdims": False}, ((1, 16),)),
        Node("y", "reshape", ("x",), {"shape": (1, 64, 16)}, ((1, 64, 16),)),
        Node("y", "slice", ("x",), {"axes": (1,), "starts": (1,), "steps": (2,)}, ((1, 4, 8, 16),)),
        Node("y", "mul", ("x",), {"const_shape": (16,)}, ((1, 8, 8, 16),)),
        Node("y", "maxpool", ("x",), WINDOW, ((1, 3, 3, 16),)),
        # The last window reaches over the edge.
        Node("y", "maxpool", ("x",), {**WINDOW, "pads": (0, 0, 1, 1)}, ((1, 4, 4, 16),)),
        Node("y", "avgpool", ("x",), {**WINDOW, "ceil_mode": True}, ((1, 4, 4, 16),)),
        Node(
            "y",
            "convtranspose",
            ("x",),
            {**WINDOW, "filters": 4, "groups": 1, "bias": True},
            ((1, 17, 17, 4),),
        ),
        Node("y", "softmax", ("x",), {"axis": 3}, ((1, 8, 8, 16),)),
        Node("y", "layernorm", ("x",), {"axis": 3}, ((1, 8, 8, 16),)),
        Node("y", "swish", ("x",), {}, ((1, 8, 8, 16),)),
        Node("y", "gelu", ("x",), {}, ((1, 8, 8, 16),)),
        Node("y", "prelu", ("x",), {}, ((1, 8, 8, 16),)),
        Node("y", "square", ("x",), {}, ((1, 8, 8, 16),)),
        Node("y", "bn", ("x",), {}, ((1, 8, 8, 16),)),
    ],
    ids=lambda node: node.op,
)
def test_an_op_has_the_shape_that_the_graph_states(node: Node) -> None:
    graph = graph_of(node)
    model = graph_to_onnx(graph)
    read = to_graph(model, "onnx")
    assert read.shape(read.outputs[0]) == node.shape
    stated = [dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim]
    assert list(run(model).shape) == stated


def test_an_op_without_a_handler_is_named() -> None:
    node = Node("y", "fft", ("x",), {}, ((1, 8, 8, 16),))
    with pytest.raises(UnsupportedOpError, match="node 'y': op 'fft' can't be written as ONNX"):
        graph_to_onnx(graph_of(node))
