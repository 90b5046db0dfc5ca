"""Recognise convolutions with dilation that a model spells with a batch of shifted images."""

from __future__ import annotations

from predictor_core.ir.graph import Node
from predictor_core.ir.ops import ACTIVATION_OPS
from predictor_core.ir.passes.draft import Draft, retyped


def dilated_convs(draft: Draft) -> None:
    """Turn a conv between SpaceToBatchND and BatchToSpaceND into one with dilation.

    An activation between the conv and BatchToSpaceND stays. Runtimes without dilation were served so, and
    converters mend it where they see it.
    """
    for last in draft.of("BatchToSpaceND"):
        conv, between = draft.producer(last.inputs[0]), None
        if conv.op in ACTIVATION_OPS and len(conv.inputs) == 1:
            conv, between = draft.producer(conv.inputs[0]), conv
        reader = draft.only_reader(conv.name)
        if conv.op not in ("conv", "dwconv") or reader is None or tuple(conv.attrs["strides"]) != (1, 1):
            continue
        first = draft.producer(conv.inputs[0])
        block = last.attrs.get("block", ())
        if first.op != "SpaceToBatchND" or len(block) != 2 or first.attrs.get("block") != block:
            continue
        if (
            any(conv.attrs["pads"])
            or draft.only_reader(first.name) is None
            or draft.only_reader(reader.inputs[0]) is None
        ):
            continue
        top, bottom, left, right = [pad - crop for pad, crop in zip(first.attrs["pads"], last.attrs["crops"])]
        if min(top, bottom, left, right) < 0:
            continue
        attrs = {**conv.attrs, "dilations": tuple(block), "pads": (top, left, bottom, right)}
        inputs = (first.inputs[0], *conv.inputs[1:])
        if between is None:
            draft.put(retyped(last, conv.op, inputs, attrs))
        else:
            draft.put(Node(conv.name, conv.op, inputs, attrs, last.outputs, conv.scope))
            draft.put(retyped(last, between.op, (conv.name,), dict(between.attrs)))
