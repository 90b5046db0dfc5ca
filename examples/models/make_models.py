"""Write the example models: torchvision networks as the TorchScript exporter writes them, without weights.

A latency does not depend on the weights, so each large one is replaced by a ``ConstantOfShape`` node: the
files are small and still valid ONNX, which every runtime can execute.

Run: ``python examples/models/make_models.py [NAME...]`` (needs torch, torchvision and onnx).
"""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from typing import Any

import onnx
import torch
import torchvision
from onnx import helper, numpy_helper

from predictor_core.files import write_atomically

NAMES = ("mobilenet_v2", "mobilenet_v3_small")
#: Tensors up to this many elements stay as they are: they may be shapes.
SMALL = 64


def main(names: list[str]) -> None:
    for name in names or NAMES:
        module = torchvision.models.get_model(name, weights=None).eval()
        file = io.BytesIO()
        torch.onnx.export(module, (torch.zeros(1, 3, 224, 224),), file, dynamo=False, opset_version=17)
        model = without_weights(onnx.load_from_string(file.getvalue()))
        onnx.checker.check_model(model, full_check=True)
        path = Path(__file__).with_name(f"{name}.onnx")
        write_atomically(path, model.SerializeToString())
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def without_weights(model: Any) -> Any:
    """Replace every large tensor by a node that fills its shape with zeros."""
    graph = model.graph
    kept, nodes, shapes = [], [], {}
    for tensor in graph.initializer:
        dims = tuple(tensor.dims)
        if math.prod(dims) <= SMALL:
            kept.append(tensor)
            continue
        if dims not in shapes:
            shapes[dims] = "shape_" + "x".join(map(str, dims))
            kept.append(numpy_helper.from_array(torch.tensor(dims).numpy(), shapes[dims]))
        nodes.append(
            helper.make_node("ConstantOfShape", [shapes[dims]], [tensor.name], name=f"{tensor.name}.zeros")
        )
    nodes.extend(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return model


if __name__ == "__main__":
    main(sys.argv[1:])
