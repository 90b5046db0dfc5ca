"""Networks in the format of OpenVINO 2019, version 7, written as its model optimiser writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from predictor_core.errors import GraphError
from predictor_core.frontends.openvino import load
from tests.predictor_core.frontends.openvino.ir import layer, net

BLOBS = '<blobs><weights offset="0" size="864"/><biases offset="864" size="32"/></blobs>'


def seven(*layers: tuple[object, ...]) -> str:
    """Return a chain of layers: (type, input shape, output shape, attributes, what stands inside)."""
    texts = []
    for ident, (kind, before, after, data, inside) in enumerate(layers):
        given = [before] if before else []
        texts.append(layer(ident, kind, given, [after], version="", inside=inside, **data))  # type: ignore[arg-type, list-item, dict-item]
    edges = [(i, 0 if i == 0 else 1, i + 1, 0) for i in range(len(layers) - 1)]
    return net(texts, edges, version=7)


WINDOW = {"strides": "2,2", "pads_begin": "0,0", "pads_end": "1,1", "kernel": "3,3"}
CHAIN = seven(
    ("Input", None, (1, 3, 32, 32), {}, ""),
    (
        "Convolution",
        (1, 3, 32, 32),
        (1, 8, 16, 16),
        {**WINDOW, "dilations": "1,1", "group": "1", "output": "8"},
        BLOBS,
    ),
    ("ReLU", (1, 8, 16, 16), (1, 8, 16, 16), {}, ""),
    ("Convolution", (1, 8, 16, 16), (1, 8, 8, 8), {**WINDOW, "group": "8", "output": "8"}, BLOBS),
    ("Clamp", (1, 8, 8, 8), (1, 8, 8, 8), {"min": "0", "max": "6"}, ""),
    ("Pooling", (1, 8, 8, 8), (1, 8, 4, 4), {**WINDOW, "pool__method": "max", "rounding_type": "ceil"}, ""),
    ("Power", (1, 8, 4, 4), (1, 8, 4, 4), {"power": "1", "scale": "2.5", "shift": "0"}, ""),
    ("Permute", (1, 8, 4, 4), (1, 4, 4, 8), {"order": "0,2,3,1"}, ""),
    ("Reshape", (1, 4, 4, 8), (1, 128), {}, ""),
    ("FullyConnected", (1, 128), (1, 10), {"out__size": "10"}, BLOBS),
    ("SoftMax", (1, 10), (1, 10), {"axis": "1"}, ""),
)


def test_a_chain_of_layers(tmp_path: Path) -> None:
    path = tmp_path / "seven.xml"
    path.write_text(CHAIN)
    graph = load(path)
    ops = [node.op for node in graph]
    assert ops == ["input", "conv", "relu", "dwconv", "relu6", "maxpool", "mul", "reshape", "fc", "softmax"]
    conv = graph["Convolution_1"]
    assert (conv.shape, conv.attrs["bias"]) == ((1, 16, 16, 8), True)
    assert graph["Pooling_5"].shape == (1, 4, 4, 8)
    assert load_latency_predictor("myriadvpu_openvino2019r2").predict(path) > 0


def test_a_malformed_attribute_names_the_layer(tmp_path: Path) -> None:
    path = tmp_path / "seven.xml"
    path.write_text(CHAIN.replace('kernel="3,3"', 'kernel="3,x"', 1))
    with pytest.raises(
        GraphError, match=r"'Convolution_1' \(Convolution\): kernel should list integers, got '3,x'"
    ):
        load(path)
