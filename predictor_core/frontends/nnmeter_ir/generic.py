"""Converters for ops that keep their shape or whose shape the document states."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from predictor_core.errors import GraphError
from predictor_core.frontends.nnmeter_ir.source import Converted, Source
from predictor_core.ir import ops

NO_ATTRS: Mapping[str, Any] = MappingProxyType({})

#: Attributes of source formats that say nothing about cost.
_IGNORED = frozenset(
    ("data_format", "T", "epsilon", "momentum", "is_training", "training_mode", "spatial", "input_slots")
)


def attributes(source: Source) -> Mapping[str, Any]:
    """Attributes as written, without those that say nothing about cost."""
    if not source.attrs:
        return NO_ATTRS
    return {key: _frozen(value) for key, value in source.attrs.items() if key not in _IGNORED}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def elementwise(op: str, source: Source) -> Converted:
    """Convert an op with one input whose attributes matter."""
    return op, attributes(source), source.inputs[:1]


def bare(op: str, source: Source) -> Converted:
    """Convert an op with one input and no attributes that matter."""
    return op, NO_ATTRS, source.inputs[:1]


def stated(op: str, source: Source) -> Converted:
    """Convert an op whose shape the document states, unless it can be inferred."""
    attrs = attributes(source)
    if source.inputs:
        try:
            inferred = ops.infer(op, attrs, source.inputs)
        except GraphError:
            inferred = None
        if inferred is not None:
            return op, attrs, inferred
    return op, attrs, source.stated_shapes()
