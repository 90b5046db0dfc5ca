"""Graphs as TFLite files: the interpreter runs them, with the ops that TensorFlow's converter would write."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from ai_edge_litert import interpreter

from predictor_core import zoo
from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.reading import to_graph
from predictor_core.frontends.tflite.writing import graph_to_tflite
from predictor_core.fusion import detect, load_rules
from predictor_core.ir.graph import Graph, Node
from predictor_core.zoo.variants import variant


def kernels(graph: Graph) -> Counter[Any]:
    # The name of a kernel tells whether it has a shift; every convolution of a TFLite file has one.
    found = detect(graph, load_rules("cortexA76cpu_tflite21"))
    return Counter(kernel.spec._replace(type="") for kernel in found)


def opened(content: bytes) -> Any:
    made = interpreter.Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    made.allocate_tensors()
    return made


def run(content: bytes) -> np.ndarray:
    made = opened(content)
    (each,) = made.get_input_details()
    made.set_tensor(each["index"], np.random.default_rng(0).standard_normal(each["shape"]).astype(np.float32))
    made.invoke()
    return made.get_tensor(made.get_output_details()[0]["index"])


@pytest.mark.parametrize("family", zoo.families())
def test_the_zoo_runs(family: str) -> None:
    if family in ("vgg", "alexnet"):
        graph = zoo.build("vgg11" if family == "vgg" else family, input_shape=(1, 64, 64, 3))
    else:
        graph = variant(family, 3)
    answer = run(graph_to_tflite(graph))
    assert answer.shape == graph.shape(graph.outputs[0])
    assert np.isfinite(answer).all()
    assert 1e-6 < np.abs(answer).max() < 1e6


@pytest.mark.parametrize("family", zoo.families())
def test_the_zoo_is_the_same_when_read_back(family: str, tmp_path: Path) -> None:
    graph = variant(family, 5)
    path = tmp_path / "model.tflite"
    path.write_bytes(graph_to_tflite(graph))
    assert kernels(to_graph(path, "tflite")) == kernels(to_graph(graph))


def test_activations_are_parts_of_the_ops_before_them() -> None:
    ops = Counter(
        op["op_name"] for op in opened(graph_to_tflite(zoo.build("mobilenetv1")))._get_ops_details()
    )
    assert ops == {"CONV_2D": 14, "DEPTHWISE_CONV_2D": 13, "MEAN": 1, "FULLY_CONNECTED": 1}


def test_padding_is_an_op_only_where_it_is_not_same() -> None:
    def ops(pads: tuple[int, ...], out: int) -> list[str]:
        attrs = {"kernel": (3, 3), "strides": (2, 2), "pads": pads, "filters": 4, "groups": 1, "bias": True}
        node = Node("y", "conv", ("x",), attrs, ((1, out, out, 4),))
        graph = Graph([Node("x", "input", outputs=((1, 8, 8, 16),)), node], "one")
        return [op["op_name"] for op in opened(graph_to_tflite(graph))._get_ops_details()]

    assert ops((0, 0, 1, 1), 4) == ["CONV_2D"]
    assert ops((0, 0, 0, 0), 3) == ["CONV_2D"]
    assert ops((1, 1, 1, 1), 4) == ["PAD", "CONV_2D"]


def test_weights_of_one_size_share_their_numbers() -> None:
    content = graph_to_tflite(zoo.build("resnet34", input_shape=(1, 64, 64, 3)))
    assert len(content) < 0.3 * 4 * 21_797_672


def test_the_same_graph_is_the_same_file() -> None:
    graph = zoo.build("squeezenet", input_shape=(1, 64, 64, 3))
    assert graph_to_tflite(graph) == graph_to_tflite(graph)


def test_an_op_without_a_handler_is_named() -> None:
    node = Node("y", "fft", ("x",), {}, ((1, 8, 8, 16),))
    graph = Graph([Node("x", "input", outputs=((1, 8, 8, 16),)), node], "one")
    with pytest.raises(UnsupportedOpError, match="node 'y': op 'fft' can't be written as TFLite"):
        graph_to_tflite(graph)
