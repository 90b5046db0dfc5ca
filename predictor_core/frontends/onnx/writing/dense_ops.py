"""ONNX writer: ops with weights, and windows."""

from __future__ import annotations

from math import prod
from typing import Any

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.onnx.writing.writer import Handler, Writer
from predictor_core.ir.graph import Node
from predictor_core.ir.shapes import window


def _input(w: Writer, node: Node) -> None:
    if len(node.shape) == 4:
        w.images.add(node.name)


def _conv(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    cin, filters = w.graph.shape(x)[-1], node.shape[-1]
    groups, kernel = node.attrs.get("groups", 1), tuple(node.attrs["kernel"])
    shape = (filters, cin // groups, *kernel)
    inputs = [w.image(x), w.weight(shape, prod(shape[1:]))]
    if node.attrs.get("bias"):
        inputs.append(w.vector(filters))
    w.images.add(node.name)
    w.add(
        "Conv",
        inputs,
        node.name,
        group=groups,
        dilations=node.attrs.get("dilations", (1, 1)),
        **_window(node),
    )


def _convtranspose(w: Writer, node: Node) -> None:
    x = node.inputs[0]
    cin, filters = w.graph.shape(x)[-1], node.shape[-1]
    groups, kernel = node.attrs.get("groups", 1), tuple(node.attrs["kernel"])
    inputs = [w.image(x), w.weight((cin, filters // groups, *kernel), cin * prod(kernel) // groups)]
    if node.attrs.get("bias"):
        inputs.append(w.vector(filters))
    w.images.add(node.name)
    attrs = {"group": groups, "dilations": node.attrs.get("dilations", (1, 1)), **_window(node)}
    w.add(
        "ConvTranspose", inputs, node.name, output_padding=node.attrs.get("output_padding", (0, 0)), **attrs
    )


def _window(node: Node) -> dict[str, Any]:
    return {
        "kernel_shape": node.attrs["kernel"],
        "strides": node.attrs["strides"],
        "pads": node.attrs["pads"],
    }


def _pool(op: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        if len(node.outputs) > 1:
            raise UnsupportedOpError(f"node {node.name!r}: a pool with indices can't be written as ONNX")
        w.images.add(node.name)
        # Where the window does not divide the map, its shape tells whether the last, partial one counts.
        sizes = w.graph.shape(node.inputs[0])[1:3]
        floor = window(sizes, *(node.attrs[key] for key in ("kernel", "strides", "pads")))
        ceil_mode = int(node.shape[1:3] != floor)
        w.add(op, [w.image(node.inputs[0])], node.name, ceil_mode=ceil_mode, **_window(node))

    return write


def _fc(w: Writer, node: Node) -> None:
    x, filters = node.inputs[0], node.shape[-1]
    cin = w.graph.shape(x)[-1]
    bias = bool(node.attrs.get("bias"))
    if len(node.shape) == 2:
        inputs = [x, w.weight((filters, cin), cin)] + ([w.vector(filters)] if bias else [])
        w.add("Gemm", inputs, node.name, transB=1)
        return
    product = w.add("MatMul", [w.plain(x), w.weight((cin, filters), cin, axis=1)], "" if bias else node.name)
    if bias:
        w.add("Add", [product, w.vector(filters)], node.name)


def _matmul(w: Writer, node: Node) -> None:
    inputs = [w.plain(x) for x in node.inputs]
    if len(inputs) == 1:
        shape = tuple(node.attrs["const_shape"])
        constant = w.weight(shape, shape[-1], axis=len(shape) - 1)
        inputs = [constant, *inputs] if node.attrs.get("const_first") else [*inputs, constant]
    w.add("MatMul", inputs, node.name)


#: Canonical op -> function that writes a node of it.
HANDLERS: dict[str, Handler] = {
    "input": _input,
    "conv": _conv,
    "dwconv": _conv,
    "convtranspose": _convtranspose,
    "fc": _fc,
    "matmul": _matmul,
    "maxpool": _pool("MaxPool"),
    "avgpool": _pool("AveragePool"),
}
