"""TensorFlow loops whose count is known, unrolled, and the lists of tensors that they read and write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from predictor_core.budget import meter
from predictor_core.errors import ModelFormatError, UnsupportedOpError
from predictor_core.frontends.common.loops import MAX_TURNS
from predictor_core.frontends.common.values import Value, constant
from predictor_core.frontends.tensorflow.call import MAX_PARTS, Call, Step
from predictor_core.frontends.tensorflow.frames import Frame
from predictor_core.frontends.tensorflow.order import endless

if TYPE_CHECKING:
    from predictor_core.frontends.tensorflow.graph import Walk

#: What a list takes in memory for each tensor.
ITEM_BYTES = 8


class TensorList(Value):
    """The handle of a list: its tensors, None for one that is not set, or the tensor whose rows they are."""

    items: Sequence[Value | None]
    source: Value | None


def loop(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Unroll a loop whose count is known in advance."""
    condition, body = call.node.function("cond"), call.node.function("body")
    return walk.unrolled(
        call.name,
        list(call.inputs),
        lambda values: walk.call(condition, values, depth)[0],
        lambda values: walk.call(body, values, depth),
    )


def frame(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Unroll a loop of TensorFlow 1."""
    node = call.node
    if not isinstance(node, Frame):
        raise endless(node)
    count = len(node.variables)
    constants = {name: [value] for name, value in zip(node.constants, call.inputs[count:])}

    def turn(wanted: Sequence[str], values: Sequence[Value]) -> list[Value]:
        known = dict(constants)
        for variable, value in zip(node.variables, values):
            known[variable.merge] = [value]
            known[variable.switch] = [value, value]
        return walk.evaluate(walk.graph_nodes, wanted, known, depth + 1)

    def condition(values: list[Value]) -> Value:
        (goes_on,) = turn([node.condition], values)
        if goes_on.array is None:
            raise endless(node)
        return goes_on

    after = [variable.after for variable in node.variables]
    return walk.unrolled(call.name, list(call.inputs[:count]), condition, lambda values: turn(after, values))


def array(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Return an array of TensorFlow 1: a list of tensors that are not set, as its handle and as its flow."""
    return reserve(walk, Call(call.node, [call.value(), *call.inputs]), depth) * 2


def array_size(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Return how many tensors an array has."""
    return [constant(np.array(len(_handle(call).items), dtype=np.int32))]


def of_array(
    function: Callable[[Walk, Call, int], list[Value]], *places: int
) -> Callable[[Walk, Call, int], list[Value]]:
    """Return what does with an array what a function does with a list, by the places of its inputs."""
    return lambda walk, call, depth: function(
        walk, Call(call.node, [call.inputs[place] for place in places]), depth
    )


def reserve(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Return a list of tensors that are not set."""
    return [_list([None] * _count(call.value(1)))]


def from_tensor(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Return the rows of a tensor as a list; each is taken out where it is read."""
    if not call.shape():
        raise call.error("takes a tensor of at least one dimension apart")
    return [_list([None] * min(call.shape()[0], MAX_TURNS), call.value())]


def get_item(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Return one tensor of a list."""
    items, place = _items(call)
    found, source = items.items[place], items.source
    if found is not None:
        return [found]
    if source is None:
        raise call.error(f"reads place {place} of a list, which nothing has written")
    out = source.shape[1:]
    if source.is_constant:
        return [Value(out)]
    return walk.emit(call, [Step("gather", (source, call.value(1)), {"axis": 0}, (out,))])


def set_item(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Return a list with one tensor replaced."""
    items, place = _items(call)
    changed = list(items.items)
    changed[place] = call.value(2)
    return [_list(changed, items.source)]


def stack(walk: Walk, call: Call, depth: int) -> list[Value]:
    """Write the tensors of a list as one."""
    items = _handle(call)
    parts = [one for one in items.items if one is not None]
    if not parts and items.source is not None:
        return [items.source]
    if not parts or len(parts) < len(items.items) or len({one.shape for one in parts}) > 1:
        raise call.error("takes a list of tensors of one shape that are all written")
    out = (len(parts), *parts[0].shape)
    if all(one.is_constant for one in parts):
        return [Value(out)]
    if len(parts) == 1:
        return walk.emit(call, [Step("reshape", (parts[0],), {}, (out,))])
    return walk.emit(call, [Step("stack", tuple(parts), {"axis": 0}, (out,))])


def _list(items: Sequence[Value | None], source: Value | None = None) -> TensorList:
    meter().spend(memory_bytes=ITEM_BYTES * len(items))
    made = TensorList(())
    made.items, made.source = items, source
    return made


def _handle(call: Call) -> TensorList:
    found = call.value(0)
    if not isinstance(found, TensorList):
        raise call.error("expected a list of tensors")
    return found


def _items(call: Call) -> tuple[TensorList, int]:
    """Return the list and the place in it that a node reads or writes."""
    items = _handle(call)
    place = call.ints(1)[0]
    if not 0 <= place < len(items.items):
        raise call.error(f"place {place} is none of a list of {len(items.items)}")
    return items, place


def _count(value: Value) -> int:
    if value.array is None:
        raise UnsupportedOpError("how many tensors a list has depends on data")
    count = int(value.array)
    if not 0 <= count <= MAX_PARTS:
        raise ModelFormatError(f"a list of {count} tensors; at most {MAX_PARTS} are accepted")
    return count
