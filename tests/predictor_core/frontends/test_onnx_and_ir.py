"""One network as an nn-Meter IR document and as ONNX is one Graph."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from predictor_core.frontends.nnmeter_ir import load as load_ir
from predictor_core.frontends.onnx import load as load_onnx
from predictor_core.ir.graph import Graph
from tests.onnx_factory import OnnxModel

ELEMENTWISE = {"Relu": "Relu", "Add": "Add", "Mul": "Mul"}


def as_onnx(document: dict[str, Any]) -> Any:
    """Write the ops of an IR document one by one, channels first, as an exporter would."""
    model, made, channels = OnnxModel((1, 3, 224, 224)), {}, {}
    for name, entry in document.items():
        op, attr = entry["attr"]["type"], entry["attr"]["attr"]
        inputs = [made[source] for source in entry["inbounds"] if source in made]
        x = inputs[0] if inputs else ""
        width = next((channels[source] for source in entry["inbounds"] if source in channels), 3)
        if op == "Placeholder":
            made[name] = "x"
        elif op == "Const":
            made[name] = model.number(attr["constant"][0])
            continue
        elif op in ("Conv2D", "DepthwiseConv2dNative"):
            rows, columns, one, two = attr["weight_shape"]
            weight, group = ((two, one), 1) if op == "Conv2D" else ((one, two), one)
            made[name] = model.conv(
                x, (*weight, rows, columns), strides=attr["strides"], auto_pad="SAME_UPPER", group=group
            )
            width = weight[0]
        elif op == "FusedBatchNorm":
            made[name] = model.bn(x, width)
        elif op == "BiasAdd":
            made[name] = model("Add", x, model.weight(width, 1, 1))
        elif op == "Relu6":
            made[name] = model("Clip", x, model.number(0), model.number(6))
        elif op == "AvgPool":
            made[name] = model("AveragePool", x, kernel_shape=attr["ksize"])
        elif op == "Mean":
            made[name] = model("ReduceMean", x, axes=[2, 3], keepdims=0)
        elif op == "Reshape":
            made[name] = model("Reshape", x, model.ints(1, -1))
        elif op == "MatMul":
            made[name] = model("MatMul", x, model.weight(width, 1000))
        else:
            made[name] = model(ELEMENTWISE[op], *inputs)
        channels[name] = width
    return model.proto()


def described(graph: Graph) -> Counter[Any]:
    """What every node is, whatever its name."""
    return Counter(
        (node.op, graph.input_shapes(node), node.outputs, tuple(sorted(node.attrs.items())))
        for node in graph
        if node.op != "input"
    )


def test_reference_document_and_its_onnx_counterpart(shared_data: Path) -> None:
    path = shared_data / "reference" / "mobilenetv3small_0.json"
    from_onnx = load_onnx(as_onnx(json.loads(path.read_text())))
    from_ir = load_ir(path)
    assert len(from_onnx) == len(from_ir)
    assert described(from_onnx) == described(from_ir)
