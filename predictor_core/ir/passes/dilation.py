"""Recognise convolutions with dilation that a model writes with a batch of shifted images."""

from __future__ import annotations

from predictor_core.ir.mutable import MutableGraph
from predictor_core.ir.ops import ACTIVATION_OPS
from predictor_core.ir.passes.contract import graph_pass


@graph_pass(requires=("no free ops",), ensures="dilated convs", ops=("BatchToSpaceND",))
def dilated_convs(graph: MutableGraph) -> None:
    """Turn a conv between SpaceToBatchND and BatchToSpaceND into one with dilation.

    An activation between the conv and BatchToSpaceND stays. Models were written so for runtimes without
    dilation, and converters mend it where they see it.
    """
    for last in graph.of("BatchToSpaceND"):
        conv, between = graph.producer(last.inputs[0]), None
        if conv.op in ACTIVATION_OPS and len(conv.inputs) == 1:
            conv, between = graph.producer(conv.inputs[0]), conv
        reader = graph.only_reader(conv.name)
        if conv.op not in ("conv", "dwconv") or reader is None or tuple(conv.attrs["strides"]) != (1, 1):
            continue
        first = graph.producer(conv.inputs[0])
        block = last.attrs.get("block", ())
        if first.op != "SpaceToBatchND" or len(block) != 2 or first.attrs.get("block") != block:
            continue
        if (
            any(conv.attrs["pads"])
            or graph.only_reader(first.name) is None
            or graph.only_reader(reader.inputs[0]) is None
        ):
            continue
        top, bottom, left, right = [pad - crop for pad, crop in zip(first.attrs["pads"], last.attrs["crops"])]
        if min(top, bottom, left, right) < 0:
            continue
        attrs = {**conv.attrs, "dilations": tuple(block), "pads": (top, left, bottom, right)}
        inputs = (first.inputs[0], *conv.inputs[1:])
        if between is None:
            graph.replace(last, conv.op, inputs, attrs)
        else:
            graph.replace(conv, inputs=inputs, attrs=attrs, outputs=last.outputs)
            graph.replace(last, between.op, (conv.name,), dict(between.attrs))
