"""A pickle read as data: a small stack machine that builds inert records and calls nothing.

It knows the opcodes that a pickled random forest consists of and the few names that it mentions
(`KNOWN_NAMES`). A class or function becomes a `Name`, a call a `Record` of its arguments; neither `pickle`,
numpy's reconstructors nor scikit-learn are involved. Anything else is refused before anything is built.
`pickletools` tells the opcodes apart and reads their arguments.
"""

from __future__ import annotations

import os
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, Final

from predictor_core.errors import PackError

#: Bounds: far above any genuine forest, low enough for memory and time to stay bounded.
MAX_PICKLE_BYTES: Final = 4 * 2**30
MAX_OPCODES: Final = 3_000_000
_MAX_LINE_BYTES: Final = 256

#: Lies on the stack below what is collected.
_MARK: Final = object()


#: Takes the machine, and the argument of the opcode.
Handler = Callable[["_Machine", Any], None]


class Name:
    """A class or function that a pickle mentions, by its last part."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Record:
    """A call or an object of a pickle: what was called, with which arguments, and the state set on it."""

    __slots__ = ("args", "state", "type")

    def __init__(self, type: str, args: tuple[Any, ...]) -> None:
        self.type = type
        self.args = args
        self.state: Any = None


#: Every module and name that scikit-learn 0.20 and later write for a RandomForestRegressor.
KNOWN_NAMES: Final[Mapping[tuple[str, str], Name]] = {
    (module, name): Name(name)
    for modules, names in (
        ("sklearn.ensemble.forest sklearn.ensemble._forest", "RandomForestRegressor"),
        ("sklearn.tree.tree sklearn.tree._classes", "DecisionTreeRegressor"),
        ("sklearn.tree._tree", "Tree"),
        ("numpy", "ndarray dtype"),
        ("numpy.core.multiarray numpy._core.multiarray", "_reconstruct scalar"),
        ("numpy.core.numeric numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
        # A generator kept as the parameter `random_state`; read, never used.
        ("numpy.random", "__RandomState_ctor"),
        ("numpy.random._pickle", "__randomstate_ctor __bit_generator_ctor"),
        ("numpy.random._mt19937", "MT19937"),
    )
    for module in modules.split()
    for name in names.split()
}


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


def parse_pickle(content: bytes) -> Any:
    """Read the bytes of a pickle; see `read_pickle`."""
    machine = _Machine(memoryview(content))
    try:
        return machine.run()
    except (IndexError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise PackError(f"it is truncated or malformed at byte {machine.position}: {error}") from error


class _Machine:
    """Stack, memo and position of the reading of one pickle."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.position = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Run the opcodes and return the object that they leave."""
        content, stack = self.content, self.stack
        for _ in range(MAX_OPCODES):
            opcode = content[self.position]
            self.position += 1
            if opcode == _STOP:
                break
            if opcode not in _OPCODES:
                raise PackError(
                    f"opcode {opcode:#04x} at byte {self.position - 1} is none that a forest is made of"
                )
            argument, handler = _OPCODES[opcode]
            handler(self, None if argument is None else argument(self))
        else:
            raise PackError(f"it has more than {MAX_OPCODES} opcodes")
        if self.position != len(content):
            raise PackError(f"{len(content) - self.position} bytes follow its end")
        if len(stack) != 1 or stack[0] is _MARK:
            raise PackError("it does not leave one object")
        return stack[0]

    def read(self, size: int) -> memoryview:
        """Return the next bytes, or what there is of them, without a copy: the file of `pickletools`."""
        part = self.content[self.position : self.position + size]
        self.position += len(part)
        return part

    def line(self) -> str:
        """Return the text up to the next line break."""
        end = bytes(self.content[self.position : self.position + _MAX_LINE_BYTES]).index(b"\n")
        text = str(self.read(end), "utf-8")
        self.position += 1
        return text

    def push(self, value: Any) -> None:
        """Put an object on the stack."""
        self.stack.append(value)

    def pop(self, type: type | None = None) -> Any:
        """Take the top object off the stack, or refuse one of another type."""
        value = self.top(type)
        if value is _MARK:
            raise PackError(f"an object is missing before byte {self.position}")
        del self.stack[-1]
        return value

    def pop_to_mark(self) -> list[Any]:
        """Take all objects above the last mark off the stack, and the mark with them."""
        stack = self.stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise PackError(f"a mark is missing before byte {self.position}")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def top(self, type: type | None = None) -> Any:
        """Return the top object, or refuse one of another type."""
        value = self.stack[-1]
        if type is not None and value.__class__ is not type:
            raise PackError(f"expected a {type.__name__.lower()} before byte {self.position}")
        return value

    def put(self, index: int) -> None:
        """Keep the top object in the memo."""
        self.memo[index] = self.stack[-1]

    def name(self, module: str, name: str) -> None:
        """Put a name on the stack, or refuse one that no forest needs."""
        known = KNOWN_NAMES.get((module, name))
        if known is None:
            raise PackError(
                f"it names {module[:80]}.{name[:80]}, which is no part of a random forest; nothing of it "
                "was executed"
            )
        self.push(known)


def _protocol(machine: _Machine, version: int) -> None:
    if not 2 <= version <= 5:
        raise PackError(f"it is of protocol {version}; 2 to 5 are read")


def _pop_tuple(size: int) -> Handler:
    def handler(machine: _Machine, _: None) -> None:
        items = [machine.pop() for _ in range(size)]
        machine.push(tuple(items[::-1]))

    return handler


def _append(machine: _Machine, _: None) -> None:
    value = machine.pop()
    machine.top(list).append(value)


def _appends(machine: _Machine, _: None) -> None:
    items = machine.pop_to_mark()
    machine.top(list).extend(items)


def _set_item(machine: _Machine, _: None) -> None:
    value, key = machine.pop(), machine.pop()
    _update(machine, [key, value])


def _update(machine: _Machine, items: list[Any]) -> None:
    if len(items) % 2 or not all(key.__class__ is str for key in items[::2]):
        raise PackError(f"a key before byte {machine.position} is not a string")
    machine.top(dict).update(zip(items[::2], items[1::2]))


def _stack_global(machine: _Machine, _: None) -> None:
    name, module = machine.pop(str), machine.pop(str)
    machine.name(module, name)


def _call(machine: _Machine, _: None) -> None:
    args, called = machine.pop(tuple), machine.pop(Name)
    machine.push(Record(called.text, args))


def _build(machine: _Machine, _: None) -> None:
    state = machine.pop()
    record = machine.top(Record)
    if record.state is not None:
        raise PackError(f"an object has two states before byte {machine.position}")
    record.state = state


#: What opcodes do with the argument that follows them in the pickle, by the names that `pickletools` has.
_HANDLERS: Final[Mapping[str, Handler]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _Machine.push),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"), _Machine.push),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, index: machine.push(machine.memo[index])),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _call),
    "APPEND": _append,
    "APPENDS": _appends,
    "BUILD": _build,
    "BYTEARRAY8": lambda machine, content: machine.push(memoryview(content)),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    # A hint for buffered readers; the content is whole here.
    "FRAME": lambda machine, size: None,
    "GLOBAL": lambda machine, _: machine.name(machine.line(), machine.line()),
    "MARK": lambda machine, _: machine.push(_MARK),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NONE": lambda machine, _: machine.push(None),
    "PROTO": _protocol,
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: _update(machine, machine.pop_to_mark()),
    "STACK_GLOBAL": _stack_global,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": _pop_tuple(1),
    "TUPLE2": _pop_tuple(2),
    "TUPLE3": _pop_tuple(3),
}

_STOP: Final = ord(".")
#: Opcode -> what reads its argument, and its handler. Lines are read here, under a bound.
_OPCODES: Final[Mapping[int, tuple[Any, Handler]]] = {
    ord(opcode.code): (
        opcode.arg.reader if opcode.arg and opcode.name != "GLOBAL" else None,
        _HANDLERS[opcode.name],
    )
    for opcode in pickletools.opcodes
    if opcode.name in _HANDLERS
}
