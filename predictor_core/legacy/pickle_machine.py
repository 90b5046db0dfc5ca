"""The stack machine that reads a pickle: it keeps what opcodes make, and knows none of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, Union

from predictor_core.errors import PackError
from predictor_core.legacy.pickle_records import KNOWN_NAMES

#: Bound: far above any genuine forest, low enough for the time to stay bounded.
MAX_OPCODES: Final = 3_000_000

Buffer = Union[bytes, memoryview]

#: Lies on the stack below what is collected.
MARK: Final = object()


class Machine:
    """Stack, memo and position of the reading of one pickle.

    Parameters
    ----------
    content : bytes or memoryview
        The pickle.
    """

    def __init__(self, content: Buffer) -> None:
        self.content = memoryview(content)
        self.position = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, handlers: Mapping[int, Callable[[Machine], None]]) -> Any:
        """Run the opcodes, each by its handler, and return the object that they leave.

        Raises
        ------
        PackError
            For an opcode without a handler, for too many of them, or when not one object is left.
        """
        content, stack = self.content, self.stack
        for _ in range(MAX_OPCODES):
            opcode = content[self.position]
            self.position += 1
            if opcode == 0x2E:  # STOP
                break
            handler = handlers.get(opcode)
            if handler is None:
                raise PackError(
                    f"opcode {opcode:#04x} at byte {self.position - 1} is none that a forest is made of"
                )
            handler(self)
        else:
            raise PackError(f"it has more than {MAX_OPCODES} opcodes")
        if self.position != len(content):
            raise PackError(f"{len(content) - self.position} bytes follow its end")
        if len(stack) != 1 or stack[0] is MARK:
            raise PackError("it does not leave one object")
        return stack[0]

    def take(self, size: int) -> memoryview:
        """Return the next bytes."""
        end = self.position + size
        if end > len(self.content):
            raise PackError(
                f"it is truncated: {size} bytes expected at byte {self.position}, {len(self.content)} in all"
            )
        part = self.content[self.position : end]
        self.position = end
        return part

    def number(self, format: str) -> Any:
        """Return the next number, written as `struct` calls the format."""
        return struct.unpack(format, self.take(struct.calcsize(format)))[0]

    def line(self) -> str:
        """Return the text up to the next line break."""
        end = bytes(self.content[self.position : self.position + 256]).find(b"\n")
        if end < 0:
            raise PackError(f"the name at byte {self.position} has no end")
        text = str(self.take(end), "utf-8")
        self.position += 1
        return text

    def pop(self) -> Any:
        """Take the top object off the stack."""
        value = self.stack.pop()
        if value is MARK:
            raise PackError(f"an object is missing before byte {self.position}")
        return value

    def pop_to_mark(self) -> list[Any]:
        """Take all objects above the last mark off the stack, and the mark with them."""
        stack = self.stack
        at = len(stack) - 1
        while stack[at] is not MARK:
            at -= 1
            if at < 0:
                raise PackError(f"a mark is missing before byte {self.position}")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def pop_type(self, type: type) -> Any:
        """Take the top object off the stack, or refuse one of another type."""
        return self._checked(self.pop(), type)

    def top(self, type: type) -> Any:
        """Return the top object, or refuse one of another type."""
        return self._checked(self.stack[-1], type)

    def _checked(self, value: Any, type: type) -> Any:
        if value.__class__ is not type:
            raise PackError(f"expected a {type.__name__.lower()} before byte {self.position}")
        return value

    def name(self, module: str, name: str) -> None:
        """Put a name on the stack, or refuse one that no forest needs."""
        known = KNOWN_NAMES.get((module, name))
        if known is None:
            raise PackError(
                f"it names {module[:80]}.{name[:80]}, which is no part of a random forest; nothing of it "
                "was executed"
            )
        self.stack.append(known)
