"""Sequences of tensors, as loops fill them: each tensor in them stays the value that it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from predictor_core.budget import meter
from predictor_core.errors import UnsupportedOpError
from predictor_core.frontends.common.call import Step
from predictor_core.frontends.common.values import Value, constant
from predictor_core.frontends.onnx.call import Call
from predictor_core.frontends.onnx.source import SourceNode, label

if TYPE_CHECKING:
    from predictor_core.frontends.onnx.graph import Conversion

#: What a sequence takes in memory for each tensor.
ITEM_BYTES = 8
#: Most tensors that one node cuts a tensor into.
MAX_PARTS = 4096


class TensorSequence(Value):
    """A sequence; its shape is that of nothing."""

    items: Sequence[Value]


def _sequence(items: Sequence[Value]) -> list[Value]:
    meter().spend(memory_bytes=ITEM_BYTES * len(items))
    made = TensorSequence(())
    made.items = items
    return [made]


def _items(call: Call) -> Sequence[Value]:
    found = call.value(0)
    if not isinstance(found, TensorSequence):
        raise call.error("expected a sequence of tensors that nodes of the model make")
    return found.items


def _place(call: Call, index: int, default: int, last: int) -> int:
    """Return the place up to `last` that an input names, counted from the front."""
    count = len(_items(call))
    place = call.ints(index)[0] if call.has(index) else default
    if not -count <= place <= last:
        raise call.error(f"place {place} is none of a sequence of {count}")
    return place + count if place < 0 else place


def _construct(walk: Conversion, node: SourceNode, call: Call) -> list[Value]:
    return _sequence([value for value in call.inputs if value is not None])


def _at(walk: Conversion, node: SourceNode, call: Call) -> list[Value]:
    items = _items(call)
    return [items[_place(call, 1, 0, len(items) - 1)]]


def _insert(walk: Conversion, node: SourceNode, call: Call) -> list[Value]:
    items = list(_items(call))
    items.insert(_place(call, 2, len(items), len(items)), call.value(1))
    return _sequence(items)


def _erase(walk: Conversion, node: SourceNode, call: Call) -> list[Value]:
    items = list(_items(call))
    del items[_place(call, 1, len(items) - 1, len(items) - 1)]
    return _sequence(items)


def _length(walk: Conversion, node: SourceNode, call: Call) -> list[Value]:
    return [constant(len(_items(call)))]


def _join(walk: Conversion, node: SourceNode, call: Call) -> list[Value]:
    parts, new = _items(call), bool(call.attrs.get("new_axis", 0))
    if not parts:
        raise call.error("joins a sequence without tensors")
    first = parts[0].shape
    axis = call.axis(0, len(first) + new)
    alike = {(*one.shape[:axis], *one.shape[axis + (not new) :]) for one in parts}
    if len({len(one.shape) for one in parts}) > 1 or len(alike) > 1:
        raise call.error("joins tensors of several shapes")
    middle = len(parts) if new else sum(one.shape[axis] for one in parts)
    out = (*first[:axis], middle, *first[axis + (not new) :])
    if all(one.is_constant for one in parts):
        return [Value(out)]
    op = "reshape" if len(parts) == 1 else "stack" if new else "concat"
    return walk.emit(node, Step(op, tuple(parts), {} if op == "reshape" else {"axis": axis}, (out,)))


def _split(walk: Conversion, node: SourceNode, call: Call) -> list[Value]:
    source, axis = call.value(), call.axis(0, len(call.shape()))
    size = source.shape[axis]
    keeps = bool(call.attrs.get("keepdims", 1)) or call.has(1)
    sizes: Sequence[int] = [1] * min(size, MAX_PARTS + 1)
    if call.has(1):
        sizes = call.ints(1)
        if not call.shape(1):
            each = max(sizes[0], 1)
            sizes = [min(each, size - start) for start in range(0, size, each)][: MAX_PARTS + 1]
    if len(sizes) > MAX_PARTS:
        raise UnsupportedOpError(f"cuts a tensor into more than {MAX_PARTS} parts")
    if sum(sizes) != size or min(sizes, default=0) < 1:
        raise call.error(f"can't split {list(source.shape)} on axis {axis} into {list(sizes)}")
    shapes = tuple([(*source.shape[:axis], one, *source.shape[axis + 1 :]) for one in sizes])
    cut = (*source.shape[:axis], *source.shape[axis + 1 :])
    if source.is_constant:
        return _sequence([Value(shape if keeps else cut) for shape in shapes])
    parts = walk.emit(node, Step("split", (source,), {"axis": axis, "sizes": tuple(sizes)}, shapes))
    if not keeps:
        parts = [walk.emit(node, Step("reshape", (part,), {}, (cut,)))[0] for part in parts]
    return _sequence(parts)


_RULES = {
    "ConcatFromSequence": _join,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _construct,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
OPS = frozenset(_RULES)


def convert(
    walk: Conversion, node: SourceNode, attrs: dict[str, Any], inputs: Sequence[Value | None]
) -> list[Value]:
    """Return what a node that reads or makes a sequence makes."""
    call = Call(label(node), node.op_type, attrs, inputs, len(node.output), walk.opset)
    return _RULES[node.op_type](walk, node, call)
