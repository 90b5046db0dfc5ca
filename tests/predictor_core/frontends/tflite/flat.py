"""Write small TensorFlow Lite files by hand: tables and vectors by name, shared where names are the same."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Union

Field = Union[int, str, None]


class Flat:
    """Parts of a flatbuffer by name.

    A table is a list of fields in the order of the schema: a number, the name of a part, or None; a vector
    holds numbers or names. Numbers take four bytes.
    """

    def __init__(self) -> None:
        self._parts: dict[str, tuple[bool, Sequence[Field]]] = {}

    def table(self, name: str, *fields: Field) -> None:
        """Add a table."""
        self._parts[name] = (True, fields)

    def vector(self, name: str, entries: Sequence[int] | Sequence[str]) -> None:
        """Add a vector."""
        self._parts[name] = (False, entries)

    def content(self, root: str = "model") -> bytes:
        """Return the file; every part stands behind all that point to it."""
        data, places, pointers = bytearray(8), {}, [(0, root)]
        for name in self._ordered(root):
            is_table, entries = self._parts[name]
            data += bytes(-len(data) % 8)
            start = len(data)
            if is_table:
                offsets = [0 if entry is None else 4 + 4 * i for i, entry in enumerate(entries)]
                head = struct.pack(
                    f"<{2 + len(offsets)}H", 4 + 2 * len(offsets), 4 + 4 * len(offsets), *offsets
                )
                data += head + bytes(-len(head) % 8)
                start, vtable = len(data), start
                data += struct.pack("<i", start - vtable)
            else:
                data += struct.pack("<I", len(entries))
            places[name] = start
            for entry in entries:
                if isinstance(entry, str):
                    pointers.append((len(data), entry))
                data += struct.pack("<i", entry if isinstance(entry, int) else 0)
        data[4:8] = b"TFL3"
        for place, name in pointers:
            struct.pack_into("<I", data, place, places[name] - place)
        return bytes(data)

    def _ordered(self, root: str) -> list[str]:
        order: list[str] = []
        done: set[str] = set()

        def visit(name: str) -> None:
            if name not in done:
                done.add(name)
                for entry in dict.fromkeys(self._parts[name][1]):
                    if isinstance(entry, str):
                        visit(entry)
                order.append(name)

        visit(root)
        return order[::-1]


def model(code: int, subgraphs: Sequence[str]) -> Flat:
    """Return a model of one builtin op; its subgraphs and what they need are to be added.

    Tensor ``t`` is of (1, 8) floats; ``in`` and ``out`` list tensors 0 and 1.
    """
    flat = Flat()
    flat.table("model", 3, "codes", "subgraphs", None, "buffers")
    flat.vector("codes", ["code"])
    flat.table("code", None, None, None, code)
    flat.vector("subgraphs", subgraphs)
    flat.vector("buffers", ["buffer"])
    flat.table("buffer", None)
    flat.table("t", "shape", None, 0)
    flat.vector("shape", [1, 8])
    flat.vector("in", [0])
    flat.vector("out", [1])
    return flat
