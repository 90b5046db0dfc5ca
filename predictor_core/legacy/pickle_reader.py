"""A pickle read as data: a small stack machine that builds inert records and calls nothing.

It knows the opcodes that a pickled random forest consists of and the few names that it mentions
(`KNOWN_NAMES`). A class or function becomes a `Name`, a call a `Record` of its arguments; neither `pickle`,
numpy's reconstructors nor scikit-learn are involved. Anything else is refused before anything is built.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from predictor_core.errors import PackError
from predictor_core.legacy.pickle_machine import MARK, Buffer, Machine
from predictor_core.legacy.pickle_records import Name, Record

#: Bound: far above any genuine forest, low enough for the memory to stay bounded.
MAX_PICKLE_BYTES: Final = 4 * 2**30


def read_pickle(path: str | os.PathLike[str]) -> Any:
    """Read a pickle file into records, tuples, lists, dicts with string keys and scalars.

    Parameters
    ----------
    path : path
        A pickle of protocol 2 or later.

    Raises
    ------
    PackError
        The file is absent, too large, truncated, malformed, or mentions a name that no forest needs.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_PICKLE_BYTES:
                raise PackError(
                    f"{name} has {size} bytes; a pickle of a forest has at most {MAX_PICKLE_BYTES}"
                )
            content = file.read(MAX_PICKLE_BYTES)
    except OSError as error:
        raise PackError(f"the pickle {name} can't be read: {error.strerror}") from error
    try:
        return parse_pickle(content)
    except PackError as error:
        raise PackError(f"the pickle {name} is refused: {error}") from error


def parse_pickle(content: Buffer) -> Any:
    """Read the bytes of a pickle; see `read_pickle`."""
    machine = Machine(content)
    try:
        return machine.run(_HANDLERS)
    except (struct.error, IndexError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise PackError(f"it is truncated or malformed at byte {machine.position}") from error


Handler = Callable[[Machine], None]


def _literal(value: Any) -> Handler:
    return lambda machine: machine.stack.append(value)


def _number(format: str) -> Handler:
    return lambda machine: machine.stack.append(machine.number(format))


def _text(format: str) -> Handler:
    return lambda machine: machine.stack.append(
        str(machine.take(machine.number(format)), "utf-8", "surrogatepass")
    )


def _bytes(format: str) -> Handler:
    return lambda machine: machine.stack.append(machine.take(machine.number(format)))


def _long(machine: Machine) -> None:
    machine.stack.append(int.from_bytes(machine.take(machine.number("<B")), "little", signed=True))


def _tuple(size: int) -> Handler:
    def handler(machine: Machine) -> None:
        items = [machine.pop() for _ in range(size)]
        machine.stack.append(tuple(items[::-1]))

    return handler


def _tuple_to_mark(machine: Machine) -> None:
    machine.stack.append(tuple(machine.pop_to_mark()))


def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.top(list).append(value)


def _appends(machine: Machine) -> None:
    items = machine.pop_to_mark()
    machine.top(list).extend(items)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _update(machine, [key, value])


def _set_items(machine: Machine) -> None:
    _update(machine, machine.pop_to_mark())


def _update(machine: Machine, items: list[Any]) -> None:
    if len(items) % 2 or not all(key.__class__ is str for key in items[::2]):
        raise PackError(f"a key before byte {machine.position} is not a string")
    machine.top(dict).update(zip(items[::2], items[1::2]))


def _put(format: str) -> Handler:
    def handler(machine: Machine) -> None:
        machine.memo[machine.number(format)] = machine.stack[-1]

    return handler


def _get(format: str) -> Handler:
    return lambda machine: machine.stack.append(machine.memo[machine.number(format)])


def _memoize(machine: Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _global(machine: Machine) -> None:
    module = machine.line()
    machine.name(module, machine.line())


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop_type(str), machine.pop_type(str)
    machine.name(module, name)


def _call(machine: Machine) -> None:
    args, called = machine.pop_type(tuple), machine.pop_type(Name)
    machine.stack.append(Record(called.text, args))


def _build(machine: Machine) -> None:
    state = machine.pop()
    record = machine.top(Record)
    if record.state is not None:
        raise PackError(f"an object has two states before byte {machine.position}")
    record.state = state


def _protocol(machine: Machine) -> None:
    version = machine.number("<B")
    if not 2 <= version <= 5:
        raise PackError(f"it is of protocol {version}; 2 to 5 are read")


def _frame(machine: Machine) -> None:
    # A hint for buffered readers; the content is whole here.
    machine.take(8)


_HANDLERS: Final[Mapping[int, Handler]] = {
    0x80: _protocol,
    0x95: _frame,
    ord("("): _literal(MARK),
    ord("N"): _literal(None),
    0x88: _literal(True),
    0x89: _literal(False),
    ord("J"): _number("<i"),
    ord("K"): _number("<B"),
    ord("M"): _number("<H"),
    0x8A: _long,
    ord("G"): _number(">d"),
    ord("X"): _text("<I"),
    0x8C: _text("<B"),
    0x8D: _text("<Q"),
    ord("B"): _bytes("<I"),
    ord("C"): _bytes("<B"),
    0x8E: _bytes("<Q"),
    0x96: _bytes("<Q"),
    ord("}"): lambda machine: machine.stack.append({}),
    ord("]"): lambda machine: machine.stack.append([]),
    ord(")"): _literal(()),
    ord("t"): _tuple_to_mark,
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("a"): _append,
    ord("e"): _appends,
    ord("s"): _set_item,
    ord("u"): _set_items,
    ord("q"): _put("<B"),
    ord("r"): _put("<I"),
    0x94: _memoize,
    ord("h"): _get("<B"),
    ord("j"): _get("<I"),
    ord("c"): _global,
    0x93: _stack_global,
    ord("R"): _call,
    0x81: _call,
    ord("b"): _build,
}
