"""A ``.tflite`` model as plain records: subgraphs with their tensors and operators."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS, MAX_RANK, Array
from predictor_core.frontends.tflite.file import Memory
from predictor_core.frontends.tflite.flatbuffer import Data, Table
from predictor_core.frontends.tflite.schema import BUILTINS, BYTES, DTYPES, OPTIONS
from predictor_core.ir.graph import Shape


class Signature(NamedTuple):
    """A function of the model: its subgraph, and the names of the subgraph's inputs by tensor."""

    name: str
    subgraph: int
    inputs: dict[int, str]


class Operator:
    """One operator: the attributes of a TensorFlow node, as far as its op has them.

    Parameters
    ----------
    op, custom : str
        Builtin op, and the name of a custom one.
    table : Table
        As the file holds it.
    name : str
        For messages.
    """

    __slots__ = ("_options", "_table", "custom", "inputs", "name", "op", "outputs")

    def __init__(self, op: str, custom: str, table: Table) -> None:
        self.op = op
        self.custom = custom
        self.name = ""
        self._table = table
        self._options: Table | None = None
        self.inputs = table.numbers(1)
        self.outputs = table.numbers(2)

    def _place(self, key: str) -> tuple[Table | None, int]:
        slot = OPTIONS.get(self.op, {}).get(key)
        if slot is None:
            return None, 0
        if self._options is None:
            self._options = self._table.table(4) or self._table.table(12)
        return self._options, slot

    def integer(self, key: str, default: int = 0) -> int:
        """Return a number among the options."""
        table, slot = self._place(key)
        if table is None:
            return default
        return int(table.scalar(slot, "int8" if key in BYTES else "int32", default))

    def boolean(self, key: str) -> bool:
        """Return a truth value among the options; False where it is absent."""
        table, slot = self._place(key)
        return table is not None and bool(table.scalar(slot, "bool", False))

    def integers(self, key: str) -> tuple[int, ...]:
        """Return a vector among the options; empty where it is absent."""
        table, slot = self._place(key)
        return () if table is None else table.numbers(slot)

    def string(self, key: str, default: str = "") -> str:
        """Return a text among the options."""
        table, slot = self._place(key)
        return default if table is None else table.text(slot) or default

    def custom_options(self) -> bytes:
        """Return the options of a custom op as they stand in the file."""
        return self._table.content(5)


class Tensor:
    """One tensor: stated shape, type, and the numbers of a small constant."""

    __slots__ = ("_model", "_table", "buffer", "shape", "type")

    def __init__(self, model: Model, table: Table) -> None:
        self._model = model
        self._table = table
        self.shape: Shape = table.numbers(0)
        if len(self.shape) > MAX_RANK:
            raise ModelFormatError(
                f"a tensor has {len(self.shape)} dimensions; at most {MAX_RANK} are accepted"
            )
        self.type = table.scalar(1, "int8")
        self.buffer = table.scalar(2, "uint32")

    @property
    def name(self) -> str:
        """First of the names that the converter joined."""
        return self.file_name.partition(";")[0]

    @property
    def file_name(self) -> str:
        """Name as it stands in the file."""
        return self._table.text(3)

    @property
    def signature(self) -> Shape:
        """Stated shape, with -1 for open dimensions."""
        return self._table.numbers(7) or self.shape

    @property
    def is_variable(self) -> bool:
        """Whether the tensor keeps its numbers from one run to the next."""
        return bool(self._table.scalar(5, "bool", False))

    def constant(self) -> tuple[bool, Array | None]:
        """Return whether the tensor is a constant, and its numbers where they are few."""
        dtype, count = DTYPES.get(self.type), prod(self.shape)
        if dtype is not None and 0 in self.shape:
            return True, np.zeros(self.shape, dtype)
        span = self._model.span(self.buffer)
        if span is None:
            return self.is_variable, None
        start, end = span
        if dtype is None or not 0 < count <= MAX_KNOWN_ELEMENTS or end - start != count * dtype.itemsize:
            return True, None
        memory = self._model.data.memory
        array = np.frombuffer(memory[start:end], dtype).reshape(self.shape)
        return True, self._real(array)

    def _real(self, array: Array) -> Array | None:
        """Return what quantised numbers stand for; None where each channel has a scale of its own."""
        table = self._table.table(4)
        if table is None or array.dtype.kind not in "iu" or not table.vector(2)[1]:
            return array
        scales = table.numbers(2, "float")
        zeros = table.numbers(3, "int64")
        if len(scales) != 1:
            return None
        return (array.astype(np.float64) - (zeros[0] if zeros else 0)) * scales[0]


class Subgraph:
    """Tensors and operators, in the order of their execution; the handles of variables that it sets."""

    def __init__(self, model: Model, table: Table) -> None:
        self.tensors = [Tensor(model, entry) for entry in table.tables(0)]
        self.inputs = table.numbers(1)
        self.outputs = table.numbers(2)
        self.operators: list[Operator] = []
        for entry in table.tables(3):
            code = entry.scalar(0, "uint32")
            if code >= len(model.ops):
                raise ModelFormatError(f"an operator has the code {code}, the model has {len(model.ops)}")
            op, custom = model.ops[code]
            self.operators.append(Operator(op, custom, entry))
        self.assigned = {
            one.inputs[0] for one in self.operators if one.op == "ASSIGN_VARIABLE" and one.inputs
        }


class Model:
    """A model: its subgraphs, read when asked for, and its signatures."""

    def __init__(self, memory: Memory) -> None:
        self.data = Data(memory)
        table = self.data.table(self.data.root())
        self.ops = [_op(entry) for entry in table.tables(1)]
        self._subgraphs: dict[int, Subgraph] = {}
        self._tables = table.positions(2)
        self._buffers = table.positions(4)
        self.signatures = [
            Signature(
                entry.text(2),
                entry.scalar(4, "uint32"),
                {pair.scalar(1, "uint32"): pair.text(0) for pair in entry.tables(0)},
            )
            for entry in table.tables(7)
        ]

    def subgraph(self, index: int) -> Subgraph:
        """Return a subgraph.

        Raises
        ------
        ModelFormatError
            When the model does not have it.
        """
        if not 0 <= index < len(self._tables):
            raise ModelFormatError(f"it has {len(self._tables)} subgraphs, number {index} is asked for")
        found = self._subgraphs.get(index)
        if found is None:
            found = self._subgraphs[index] = Subgraph(self, self.data.table(self._tables[index]))
        return found

    def span(self, buffer: int) -> tuple[int, int] | None:
        """Return where the numbers of a constant stand; None for the buffer of a tensor that is computed."""
        if not 0 < buffer < len(self._buffers):
            return None
        table = self.data.table(self._buffers[buffer])
        start, end = table.span(0)
        if start == end:
            # Large models keep weights behind the flatbuffer.
            return (0, 0) if table.scalar(1, "uint64") > 1 else None
        return start, end


def _op(table: Table) -> tuple[str, str]:
    """Return the builtin op of an operator code, and the name of a custom one."""
    number = max(table.scalar(0, "int8"), table.scalar(3, "int32"))
    op = BUILTINS[number] if 0 <= number < len(BUILTINS) else f"BUILTIN_{number}"
    return op, table.text(1) if op == "CUSTOM" else ""
