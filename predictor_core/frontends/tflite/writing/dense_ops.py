"""TFLite writer: ops with weights, and windows."""

from __future__ import annotations

from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.tflite.writing.writer import Handler, Writer
from predictor_core.ir.graph import Node


def _input(w: Writer, node: Node) -> None:
    for tensor in node.tensors:
        w[tensor]


def _conv(w: Writer, node: Node) -> None:
    cin, filters = w.graph.shape(node.inputs[0])[-1], node.shape[-1]
    groups, (height, width) = node.attrs.get("groups", 1), node.attrs["kernel"]
    activation, out = w.fused(node)
    x, padding = w.padded(node)
    common = {
        "padding": padding,
        "strideH": node.attrs["strides"][0],
        "strideW": node.attrs["strides"][1],
        "dilationHFactor": node.attrs.get("dilations", (1, 1))[0],
        "dilationWFactor": node.attrs.get("dilations", (1, 1))[1],
        "fusedActivationFunction": activation,
    }
    fan_in = height * width * cin // groups
    bias = w.vector(filters, None if node.attrs.get("bias") else 0.0)
    if groups == cin and filters % cin == 0 and cin > 1:
        inputs = [x, w.weight((1, height, width, filters), fan_in), bias]
        w.add(
            "DEPTHWISE_CONV_2D",
            inputs,
            [w[out]],
            "DepthwiseConv2DOptions",
            depthMultiplier=filters // cin,
            **common,
        )
    else:
        inputs = [x, w.weight((filters, height, width, cin // groups), fan_in), bias]
        w.add("CONV_2D", inputs, [w[out]], "Conv2DOptions", **common)


def _pool(op: str) -> Handler:
    def write(w: Writer, node: Node) -> None:
        if len(node.outputs) > 1:
            raise UnsupportedOpError(f"node {node.name!r}: a pool with indices can't be written as TFLite")
        x, padding = w.padded(node)
        (height, width), (down, across) = node.attrs["kernel"], node.attrs["strides"]
        sizes = {"filterHeight": height, "filterWidth": width, "strideH": down, "strideW": across}
        w.add(op, [x], [w[node.name]], "Pool2DOptions", padding=padding, **sizes)

    return write


def _fc(w: Writer, node: Node) -> None:
    x, filters = node.inputs[0], node.shape[-1]
    cin = w.graph.shape(x)[-1]
    activation, out = w.fused(node)
    inputs = [w[x], w.weight((filters, cin), cin), w.vector(filters, None if node.attrs.get("bias") else 0.0)]
    keep = len(node.shape) > 2
    w.add(
        "FULLY_CONNECTED",
        inputs,
        [w[out]],
        "FullyConnectedOptions",
        keepNumDims=keep,
        fusedActivationFunction=activation,
    )


def _matmul(w: Writer, node: Node) -> None:
    inputs = [w[x] for x in node.inputs]
    if len(inputs) == 1:
        shape = tuple(node.attrs["const_shape"])
        constant = w.weight(shape, shape[-1])
        inputs = [constant, *inputs] if node.attrs.get("const_first") else [*inputs, constant]
    w.add("BATCH_MATMUL", inputs, [w[node.name]], "BatchMatMulOptions")


#: Canonical op -> function that writes a node of it.
HANDLERS: dict[str, Handler] = {
    "input": _input,
    "conv": _conv,
    "dwconv": _conv,
    "fc": _fc,
    "matmul": _matmul,
    "maxpool": _pool("MAX_POOL_2D"),
    "avgpool": _pool("AVERAGE_POOL_2D"),
}
